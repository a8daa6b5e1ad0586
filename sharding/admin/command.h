// The admin SQL language as a tree: what sharding/admin/parser.h makes of a text.
//
// Pure values. Identifiers are folded, strings unquoted, names not yet looked up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sharding/catalog/moves.h"
#include "sharding/key_value.h"
#include "sharding/shard_map.h"

namespace meridian {

struct CreateShard {
  std::string name;
  std::vector<NodeAddress> nodes;
  std::string dbname;  // empty: the client's
  int number = 0;      // Shard::number, which the executor gives
};
struct AlterShard {
  enum class Action { kAddHost, kDropHost };
  std::string name;
  Action action = Action::kAddHost;
  NodeAddress node;
};
struct DropShard {
  std::string name;
};

struct CreateDistribution {
  std::string name;
  std::vector<KeyColumn> columns;
  std::vector<std::string> shards;  // empty: not given
};
struct DropDistribution {
  std::string name;
};

// A component of a bound as written.
struct BoundLiteral {
  std::string text;
  bool quoted = false;  // a string; otherwise a number
  int position = 0;     // in characters from 1, for errors
};
// nullopt: MINVALUE.
using BoundText = std::vector<std::optional<BoundLiteral>>;

struct CreateKeyRange {
  std::optional<std::string> name;
  BoundText from;
  std::string shard;
  std::string distribution;
};
struct SplitKeyRange {
  std::string new_range;
  std::string old_range;
  BoundText by;
};
struct UniteKeyRanges {
  std::string kept;  // gives the united range its name
  std::string gone;
};

struct MoveKeyRange {
  std::string range;
  std::string shard;
  MoveChange options;
  bool dry_run = false;
};
// PAUSE, RESUME, CANCEL, REVERSE and FINISH MOVE.
struct DirectMove {
  uint64_t move = 0;
  MoveWish wish = MoveWish::kRun;
};
struct AlterMove {
  uint64_t move = 0;
  MoveChange change;
};

struct Rebalance {
  std::optional<std::string> distribution;  // absent: all
  bool dry_run = false;
  bool by_load = false;  // else by bytes
};
// SET REBALANCER.
struct SetRebalancer {
  enum class Mode { kOff, kDryRun, kOn };
  Mode mode = Mode::kOff;
  RebalancerOptions options;
};
struct DrainShard {
  std::string shard;
  bool dry_run = false;
};
struct IsolateKey {
  std::vector<BoundLiteral> key;  // values, also where the distribution hashes them
  std::string distribution;
  std::string shard;
};

struct AttachTable {
  std::string distribution;
  TableName table;  // schema "public" where none is written
  std::vector<std::string> key_columns;
};
struct DetachTable {
  std::string distribution;
  TableName table;
};
struct CreateReferenceTable {
  TableName table;
};
struct DropReferenceTable {
  TableName table;
};

struct ExplainRoute {
  std::string statement;
};

enum class ShowSubject {
  kShards,
  kNodes,
  kReplication,
  kDistributions,
  kKeyRanges,
  kTables,
  kMoves,
  kMoveHistory,
  kRebalancer,
  kLoad,
  kClients,
  kServers,
  kPools,
  kStats,
  kLists,
  kDatabases,
  kTransactions,
  kSettings,
  kEpoch,
  kVersion,
  kHelp,
};
// column = value, compared with the value's text form.
struct ShowFilter {
  std::string column;
  std::string value;
  int position = 0;  // of the column, in characters from 1
};
struct Show {
  ShowSubject subject = ShowSubject::kEpoch;
  std::vector<ShowFilter> filters;              // all must hold
  std::optional<uint64_t> move = std::nullopt;  // SHOW MOVE n
};

struct KillClient {
  uint64_t id = 0;
};
// PAUSE and RESUME: of one shard, or of all where `shard` is absent.
struct Pause {
  std::optional<std::string> shard;
};
struct Resume {
  std::optional<std::string> shard;
};
struct Reload {};
struct Shutdown {};
struct Help {
  std::string command;  // in capitals as in the table of commands; empty: all
};

// What drivers send by themselves: accepted, without effect on Meridian
// (sharding/admin/session_statement.h answers).
struct SessionStatement {
  enum class Kind {
    kEmpty,
    kSet,
    kReset,
    kBegin,
    kCommit,
    kRollback,
    kDiscard,
    kDeallocate,
    kCloseAll,
    kUnlisten,
    kShowParameter,  // SHOW server_version; name in small letters, "transaction_isolation" for
                     // SHOW TRANSACTION ISOLATION LEVEL, "all" for SHOW ALL
    kSelect,         // SELECT 1, SELECT version(): `name` is the function's name or the number
  };
  Kind kind = Kind::kEmpty;
  std::string name;
  std::string value;  // of SET, as written
};

using Command =
    std::variant<CreateShard, AlterShard, DropShard, CreateDistribution, DropDistribution,
                 CreateKeyRange, SplitKeyRange, UniteKeyRanges, MoveKeyRange, DirectMove, AlterMove,
                 Rebalance, SetRebalancer, DrainShard, IsolateKey, AttachTable, DetachTable,
                 CreateReferenceTable, DropReferenceTable, ExplainRoute, Show, KillClient, Pause,
                 Resume, Reload, Shutdown, Help, SessionStatement>;

// Who answers a command.
enum class CommandRoom {
  kCatalog,  // AdminExecutor: may block for long, on the control thread
  kMap,      // AnswerFromMap (sharding/admin/show_map.h): SHOW SHARDS ..., HELP
  kSession,  // AnswerSession (sharding/admin/session_statement.h)
  kProxy,    // the proxy: SHOW CLIENTS, NODES ..., KILL, PAUSE, RELOAD, EXPLAIN ROUTE ...
};
CommandRoom RoomOf(const Command& command);

// The tag of CommandComplete: "CREATE SHARD". Empty for an empty statement.
std::string TagOf(const Command& command);

}  // namespace meridian
