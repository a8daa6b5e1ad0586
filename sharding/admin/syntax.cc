#include "sharding/admin/syntax.h"

#include <algorithm>

namespace meridian {
namespace {

constexpr CommandSyntax kCommands[] = {
    {"CREATE SHARD",
     "CREATE SHARD name OPTIONS (HOST 'host:port' [, HOST ...] [, DBNAME 'database'])",
     "Adds a shard: one primary and its replicas. The first shard is the default shard.",
     ParseCreateShard},
    {"ALTER SHARD", "ALTER SHARD name {ADD | DROP} HOST 'host:port'",
     "Adds a node to a shard, or takes one away.", ParseAlterShard},
    {"DROP SHARD", "DROP SHARD name", "Forgets a shard that owns no key range.", ParseDropShard},
    {"CREATE DISTRIBUTION",
     "CREATE DISTRIBUTION name COLUMN TYPES type [HASH] [, ...] [SHARDS (shard [, ...])]",
     "Creates a co-location group; with HASH, its key space is cut evenly over the shards.",
     ParseCreateDistribution},
    {"DROP DISTRIBUTION", "DROP DISTRIBUTION name",
     "Drops a distribution that has no tables, with its key ranges.", ParseDropDistribution},
    {"CREATE KEY RANGE",
     "CREATE KEY RANGE [name] FROM bound [, ...] ROUTE TO shard FOR DISTRIBUTION distribution",
     "Routes the keys from this bound up to the next range's bound to a shard.",
     ParseCreateKeyRange},
    {"SPLIT KEY RANGE", "SPLIT KEY RANGE new FROM old BY bound [, ...]",
     "Cuts a range in two; the upper part becomes the new range, of the same shard.",
     ParseSplitKeyRange},
    {"UNITE KEY RANGE", "UNITE KEY RANGE a WITH b",
     "Joins two neighbouring ranges of one shard under the first one's name.", ParseUniteKeyRange},
    {"MOVE KEY RANGE", "MOVE KEY RANGE range TO shard [WITH (option [, ...])]",
     "Moves a range's rows to another shard while clients use them.", ParseMoveKeyRange},
    {"PAUSE MOVE", "PAUSE MOVE number", "Lets a move rest where it is.", ParsePauseMove},
    {"RESUME MOVE", "RESUME MOVE number", "Ends PAUSE MOVE.", ParseResumeMove},
    {"CANCEL MOVE", "CANCEL MOVE number", "Undoes a move whose range has not changed owner yet.",
     ParseCancelMove},
    {"REVERSE MOVE", "REVERSE MOVE number",
     "Gives the range of a reversible move back to the shard that it came from.", ParseReverseMove},
    {"FINISH MOVE", "FINISH MOVE number",
     "Ends a reversible move: the shard that the range came from is cleaned.", ParseFinishMove},
    {"ALTER MOVE", "ALTER MOVE number SET (option [, ...])",
     "Changes the options of a move: those of MOVE KEY RANGE, but not reversible.", ParseAlterMove},
    {"REBALANCE", "REBALANCE [DISTRIBUTION name] [DRY RUN] [BY {BYTES | LOAD}]",
     "Moves key ranges so that the shards have alike many bytes, or alike much to do; splits what "
     "is too much.",
     ParseRebalance},
    {"SET REBALANCER",
     "SET REBALANCER {ON | OFF | DRY RUN} [BY {BYTES | LOAD}] [WITH (option [, ...])]",
     "Has the proxies do by themselves what REBALANCE would, or only say it (SHOW REBALANCER).",
     ParseSetRebalancer},
    {"DRAIN SHARD", "DRAIN SHARD shard [DRY RUN]",
     "Moves all key ranges of a shard to the others, so that it can be dropped.", ParseDrainShard},
    {"ISOLATE KEY", "ISOLATE KEY value [, ...] IN DISTRIBUTION distribution TO shard",
     "Gives one key a range of its own, and moves it.", ParseIsolateKey},
    {"ALTER DISTRIBUTION",
     "ALTER DISTRIBUTION name ATTACH TABLE [schema.]table DISTRIBUTION KEY column [, ...] | "
     "ALTER DISTRIBUTION name DETACH TABLE [schema.]table",
     "Makes a table a sharded table of the distribution, or a local table again.",
     ParseAlterDistribution},
    {"CREATE REFERENCE TABLE", "CREATE REFERENCE TABLE [schema.]table",
     "Makes a table a reference table: held whole on every shard.", ParseCreateReferenceTable},
    {"DROP REFERENCE TABLE", "DROP REFERENCE TABLE [schema.]table",
     "Makes a reference table a local table of the default shard.", ParseDropReferenceTable},
    {"EXPLAIN ROUTE", "EXPLAIN ROUTE statement",
     "Shows where a statement goes and why, or why it is refused, without running it.",
     ParseExplainRoute},
    {"SHOW",
     "SHOW {SHARDS | NODES | REPLICATION | DISTRIBUTIONS | KEY RANGES | TABLES | MOVES | MOVE "
     "number "
     "| MOVE HISTORY | REBALANCER | LOAD | CLIENTS | SERVERS | POOLS | STATS | LISTS | "
     "DATABASES | TRANSACTIONS | SETTINGS | EPOCH | VERSION | HELP} [WHERE column = value [AND "
     "...]]",
     "Shows the shard map, the proxy's sessions, or its figures.", ParseShow},
    {"KILL CLIENT", "KILL CLIENT id", "Ends a client's session (its id is in SHOW CLIENTS).",
     ParseKillClient},
    {"PAUSE", "PAUSE [SHARD shard]",
     "Lets running transactions end and holds new statements, of one shard or of all.", ParsePause},
    {"RESUME", "RESUME [SHARD shard]", "Ends PAUSE.", ParseResume},
    {"RELOAD", "RELOAD", "Reads the configuration file again.", ParseReload},
    {"SHUTDOWN", "SHUTDOWN", "Drains the clients and ends the proxy.", ParseShutdown},
    {"HELP", "HELP [command]", "Lists the commands, or shows one command's syntax.", ParseHelp},
};

constexpr SubjectName kSubjects[] = {
    {"SHARDS", ShowSubject::kShards},
    {"NODES", ShowSubject::kNodes},
    {"REPLICATION", ShowSubject::kReplication},
    {"DISTRIBUTIONS", ShowSubject::kDistributions},
    {"KEY RANGES", ShowSubject::kKeyRanges},
    {"TABLES", ShowSubject::kTables},
    {"MOVES", ShowSubject::kMoves},
    {"MOVE HISTORY", ShowSubject::kMoveHistory},
    {"REBALANCER", ShowSubject::kRebalancer},
    {"LOAD", ShowSubject::kLoad},
    {"CLIENTS", ShowSubject::kClients},
    {"SERVERS", ShowSubject::kServers},
    {"POOLS", ShowSubject::kPools},
    {"STATS", ShowSubject::kStats},
    {"LISTS", ShowSubject::kLists},
    {"DATABASES", ShowSubject::kDatabases},
    {"TRANSACTIONS", ShowSubject::kTransactions},
    {"SETTINGS", ShowSubject::kSettings},
    {"EPOCH", ShowSubject::kEpoch},
    {"VERSION", ShowSubject::kVersion},
    {"HELP", ShowSubject::kHelp},
};

}  // namespace

absl::Span<const CommandSyntax> CommandTable() { return kCommands; }

const CommandSyntax* FindCommand(std::string_view name) {
  const auto* found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                   [&](const CommandSyntax& c) { return c.name == name; });
  return found == std::end(kCommands) ? nullptr : found;
}

absl::Span<const SubjectName> ShowSubjects() { return kSubjects; }

std::string_view NameOf(ShowSubject subject) {
  const auto* found = std::find_if(std::begin(kSubjects), std::end(kSubjects),
                                   [&](const SubjectName& s) { return s.subject == subject; });
  return found->name;
}

}  // namespace meridian
