// The kinds of parse nodes that the planner tells apart; all others are kOther.
#pragma once

#include <cstdint>
#include <string_view>

namespace meridian {

enum class NodeKind : uint8_t {
  kOther,
  kList,
  // Queries
  kSelect,
  kInsert,
  kUpdate,
  kDelete,
  kMerge,
  kMergeWhen,
  kConflict,
  kWith,
  kCommonTable,
  kLocking,
  kTarget,
  // FROM
  kRangeVar,
  kRangeSubselect,
  kRangeFunction,
  kTableSample,
  kJoin,
  // Expressions
  kColumnRef,
  kStar,
  kConst,
  kParam,
  kTypeCast,
  kTypeName,
  kRow,
  kArray,
  kOperator,
  kBool,
  kNullTest,
  kSubLink,
  kFunction,
  kValueFunction,  // CURRENT_TIMESTAMP, CURRENT_USER, ...
  kGrouping,       // GROUPING(...)
  kGroupingSet,    // ROLLUP, CUBE, GROUPING SETS, ()
  kDefault,        // DEFAULT
  kMultiAssign,
  kCurrentOf,
  kString,
  kOption,  // name = value of a utility statement
  // Session commands
  kTransaction,
  kSet,
  kShow,
  kDiscard,
  kPrepare,
  kExecute,
  kDeallocate,
  kListen,
  kUnlisten,
  kNotify,
  kDeclareCursor,
  kFetch,
  kCloseCursor,
  kConstraints,
  kLoad,
  // Commands about data
  kCopy,
  kTruncate,
  kLock,
  kCall,
  kDo,
  kExplain,
  kRefresh,
  // Commands about objects
  kMaintenance,  // VACUUM, ANALYZE, REINDEX, CLUSTER
  kCheckpoint,
  kServerWide,  // databases, tablespaces, ALTER SYSTEM, subscriptions
  kCreateTable,
  kCreateTableAs,
  kCreateForeignTable,
  kCreateView,
  kCreateIndex,
  kSequence,  // CREATE SEQUENCE, ALTER SEQUENCE
  kAlterTable,
  kAlterTableCommand,
  kConstraint,
  kCreateSchema,
  kCreateRule,
  kDropOwned,
  kDrop,
  kRename,
  kMoveToSchema,
  kComment,
  kSecurityLabel,
  kCreateRole,
  kAlterRole,
  kGrant,
  kDdl,  // any other statement that defines, alters or drops an object
};

// By PostgreSQL's name of the node type ("SelectStmt").
NodeKind NodeKindOf(std::string_view type_name);

}  // namespace meridian
