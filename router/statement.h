// What Meridian knows about one SQL statement before its values are known.
//
// A Statement is made once per shape (a text without its literals) and shared by all executions of
// that shape in one worker, under one shard map and one schema version. Immutable; one worker only
// (Ref).
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "router/ref.h"
#include "router/values.h"

namespace meridian {

struct RouteProgram;  // router/plan: how to find the shards from the values
struct CopySpec;      // router/copy: columns, format and options of a COPY

enum class Verb : uint8_t {
  kEmpty,
  // Data
  kSelect,  // SELECT, VALUES, TABLE; also WITH ... SELECT
  kInsert,
  kUpdate,
  kDelete,
  kMerge,
  kCopyIn,
  kCopyOut,
  kTruncate,
  kLock,
  kCall,  // CALL, DO
  kExplain,
  kDdl,
  kMaintenance,  // VACUUM, ANALYZE, REINDEX, CLUSTER, CHECKPOINT, ... CONCURRENTLY
  // Transactions
  kBegin,  // arguments
  kCommit,
  kRollback,
  kSavepoint,            // name
  kReleaseSavepoint,     // name
  kRollbackToSavepoint,  // name
  kSetTransaction,       // name, arguments, local; also SET transaction_isolation and its like
  kPrepareTransaction,
  kFinishPrepared,  // COMMIT PREPARED, ROLLBACK PREPARED
  // Session state
  kSet,         // name, arguments, local; SET x TO DEFAULT is kReset
  kReset,       // name, or all
  kShow,        // name
  kDiscard,     // all: DISCARD ALL; otherwise PLANS, SEQUENCES, TEMP (name)
  kPrepare,     // name, name_range, body_range, body
  kExecute,     // name, name_range
  kDeallocate,  // name, or all
  kListen,      // name
  kUnlisten,    // name, or all
  kNotify,
  kDeclareCursor,  // name
  kFetch,          // FETCH, MOVE: name
  kCloseCursor,    // name, or all
  kOther,          // anything else, and text that the parser does not know
};

// Why a session must keep its server connection after this statement succeeded, beyond its
// transaction.
enum class PinReason : uint8_t {
  kNone,
  kTemporaryTable,
  kListen,
  kHoldCursor,
  kAdvisoryLock,   // session-level pg_advisory_lock and friends
  kOpaqueSetting,  // set_config with arguments that are not literals, LOAD, DO, ... : state we
                   // cannot follow
};
inline constexpr size_t kPinReasonCount = 6;
std::string_view PinReasonName(PinReason reason);

// One argument of EXECUTE.
struct ExecuteArgument {
  // kOther: an expression, only the server knows its value.
  enum class Kind : uint8_t { kNull, kLiteral, kOther };
  Kind kind = Kind::kOther;
  Literal literal;        // its range is in the whole text
  bool negative = false;  // a minus before the literal
};

struct Statement : RefCounted {
  Statement();
  ~Statement();

  Verb verb = Verb::kOther;
  PinReason pin = PinReason::kNone;

  // Whether running it may change data, or anything else that outlives it, on a shard. False only
  // where that is certain (see design: no locking clause, no volatile function, no data-modifying
  // CTE).
  bool writes = true;
  // Whether a replica could answer otherwise than the primary did when it was as far: false only
  // where that is certain.
  bool differs_on_replica = true;
  // It reads tables or views, not of PostgreSQL itself.
  bool reads_tables = false;
  // One of them is a reference table, which every shard has.
  bool reads_reference = false;
  // currval(), lastval(): of the server connection that served nextval() before.
  bool reads_sequence_state = false;
  // Rows get values that their shard draws from its part of a sequence: only that connection's
  // currval() shows them.
  bool draws = false;
  // Calls set_config with what only the server can tell: only it has the setting.
  bool sets_unknown = false;
  // SET LOCAL; set_config(..., true).
  bool local = false;
  // DISCARD ALL, RESET ALL, DEALLOCATE ALL, UNLISTEN *, CLOSE ALL.
  bool all = false;
  // COMMIT AND CHAIN, ROLLBACK AND CHAIN.
  bool chain = false;
  // The grammar refuses the text, and the servers' grammar is not newer.
  bool is_syntax_error = false;
  // Runs outside of a transaction block only (VACUUM, CREATE INDEX CONCURRENTLY, CREATE DATABASE,
  // ...).
  bool needs_own_transaction = false;
  // Whether other texts of the same shape may share this Statement (nothing above or below depends
  // on literals).
  bool shared_by_shape = true;
  // Changes what the schema snapshot holds: whoever runs it must have the schema loaded anew.
  bool changes_schema = false;
  // RETURNING, SELECT, ...: the statement returns rows.
  bool returns_rows = false;

  // For logs: without the values that stand in the text (see ReadableShape).
  std::string readable_text;

  // The object of a session command, folded as PostgreSQL folds it; see Verb.
  std::string name;
  // SET: the values as PostgreSQL would read them (strings unquoted, numbers as written). SET
  // SESSION CHARACTERISTICS, BEGIN, SET TRANSACTION: names of settings and values by turns.
  std::vector<std::string> arguments;
  // SET by set_config: which parameter the value is, from 0; `arguments` is empty then.
  std::optional<uint16_t> value_parameter;
  // Where `name` stands (quotes included), and the statement inside PREPARE ... AS and EXPLAIN, in
  // the whole text. PREPARE: `body` is that statement; its literals are those of the text that lie
  // in body_range, counted from 0.
  TextRange name_range;
  TextRange body_range;
  Ref<const Statement> body;
  // PREPARE: the declared parameter types (0: none that a key can have). EXECUTE: its arguments.
  std::vector<Oid> prepare_types;
  std::vector<ExecuteArgument> execute_arguments;

  // COPY of a sharded table from the client: how to find the key in its rows; otherwise null.
  std::unique_ptr<const CopySpec> copy;
  std::unique_ptr<const RouteProgram> route;
};

}  // namespace meridian
