#include "router/parse/node_kind.h"

#include "sharding/string_map.h"

namespace meridian {
namespace {

// PostgreSQL: src/include/nodes/{parsenodes,primnodes}.h
StringMap<NodeKind> MakeKinds() {
  using K = NodeKind;
  return {
      {"List", K::kList},
      {"SelectStmt", K::kSelect},
      {"InsertStmt", K::kInsert},
      {"UpdateStmt", K::kUpdate},
      {"DeleteStmt", K::kDelete},
      {"MergeStmt", K::kMerge},
      {"MergeWhenClause", K::kMergeWhen},
      {"OnConflictClause", K::kConflict},
      {"WithClause", K::kWith},
      {"CommonTableExpr", K::kCommonTable},
      {"LockingClause", K::kLocking},
      {"ResTarget", K::kTarget},
      {"RangeVar", K::kRangeVar},
      {"RangeSubselect", K::kRangeSubselect},
      {"RangeFunction", K::kRangeFunction},
      {"RangeTableSample", K::kTableSample},
      {"JoinExpr", K::kJoin},
      {"ColumnRef", K::kColumnRef},
      {"A_Star", K::kStar},
      {"A_Const", K::kConst},
      {"ParamRef", K::kParam},
      {"TypeCast", K::kTypeCast},
      {"TypeName", K::kTypeName},
      {"RowExpr", K::kRow},
      {"A_ArrayExpr", K::kArray},
      {"A_Expr", K::kOperator},
      {"BoolExpr", K::kBool},
      {"NullTest", K::kNullTest},
      {"SubLink", K::kSubLink},
      {"FuncCall", K::kFunction},
      {"SQLValueFunction", K::kValueFunction},
      {"GroupingFunc", K::kGrouping},
      {"GroupingSet", K::kGroupingSet},
      {"SetToDefault", K::kDefault},
      {"MultiAssignRef", K::kMultiAssign},
      {"CurrentOfExpr", K::kCurrentOf},
      {"String", K::kString},
      {"DefElem", K::kOption},
      {"TransactionStmt", K::kTransaction},
      {"VariableSetStmt", K::kSet},
      {"VariableShowStmt", K::kShow},
      {"DiscardStmt", K::kDiscard},
      {"PrepareStmt", K::kPrepare},
      {"ExecuteStmt", K::kExecute},
      {"DeallocateStmt", K::kDeallocate},
      {"ListenStmt", K::kListen},
      {"UnlistenStmt", K::kUnlisten},
      {"NotifyStmt", K::kNotify},
      {"DeclareCursorStmt", K::kDeclareCursor},
      {"FetchStmt", K::kFetch},
      {"ClosePortalStmt", K::kCloseCursor},
      {"ConstraintsSetStmt", K::kConstraints},
      {"LoadStmt", K::kLoad},
      {"CopyStmt", K::kCopy},
      {"TruncateStmt", K::kTruncate},
      {"LockStmt", K::kLock},
      {"CallStmt", K::kCall},
      {"DoStmt", K::kDo},
      {"ExplainStmt", K::kExplain},
      {"RefreshMatViewStmt", K::kRefresh},
      {"VacuumStmt", K::kMaintenance},
      {"ReindexStmt", K::kMaintenance},
      {"ClusterStmt", K::kMaintenance},
      {"CheckPointStmt", K::kCheckpoint},
      {"CreatedbStmt", K::kServerWide},
      {"DropdbStmt", K::kServerWide},
      {"AlterDatabaseStmt", K::kServerWide},
      {"AlterDatabaseRefreshCollStmt", K::kServerWide},
      {"CreateTableSpaceStmt", K::kServerWide},
      {"DropTableSpaceStmt", K::kServerWide},
      {"AlterTableSpaceOptionsStmt", K::kServerWide},
      {"AlterTableMoveAllStmt", K::kServerWide},
      {"AlterSystemStmt", K::kServerWide},
      {"CreateSubscriptionStmt", K::kServerWide},
      {"AlterSubscriptionStmt", K::kServerWide},
      {"DropSubscriptionStmt", K::kServerWide},
      {"CreateStmt", K::kCreateTable},
      {"CreateTableAsStmt", K::kCreateTableAs},
      {"CreateForeignTableStmt", K::kCreateForeignTable},
      {"ImportForeignSchemaStmt", K::kCreateForeignTable},
      {"ViewStmt", K::kCreateView},
      {"IndexStmt", K::kCreateIndex},
      {"CreateSeqStmt", K::kSequence},
      {"AlterSeqStmt", K::kSequence},
      {"AlterTableStmt", K::kAlterTable},
      {"AlterTableCmd", K::kAlterTableCommand},
      {"Constraint", K::kConstraint},
      {"CreateSchemaStmt", K::kCreateSchema},
      {"RuleStmt", K::kCreateRule},
      {"DropOwnedStmt", K::kDropOwned},
      {"DropStmt", K::kDrop},
      {"RenameStmt", K::kRename},
      {"AlterObjectSchemaStmt", K::kMoveToSchema},
      {"CommentStmt", K::kComment},
      {"SecLabelStmt", K::kSecurityLabel},
      {"CreateRoleStmt", K::kCreateRole},
      {"AlterRoleStmt", K::kAlterRole},
      {"GrantStmt", K::kGrant},
  };
}

}  // namespace

NodeKind NodeKindOf(std::string_view type_name) {
  static const StringMap<NodeKind>& kinds = *new StringMap<NodeKind>(MakeKinds());
  const auto found = kinds.find(type_name);
  if (found != kinds.end()) return found->second;
  // All of PostgreSQL's commands that are not named above change objects (CREATE TYPE, ALTER
  // DOMAIN, ...).
  return type_name.ends_with("Stmt") ? NodeKind::kDdl : NodeKind::kOther;
}

}  // namespace meridian
