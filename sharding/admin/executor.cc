#include "sharding/admin/executor.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <utility>
#include <variant>

#include "sharding/admin/edit.h"
#include "sharding/admin/new_shard.h"
#include "sharding/admin/reference_copy.h"
#include "sharding/admin/shard_sequences.h"
#include "sharding/admin/show_moves.h"
#include "sharding/admin/table_check.h"
#include "sharding/admin/table_work.h"
#include "sharding/catalog/shard_support.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using MapPointer = std::shared_ptr<const ShardMap>;
using MapOr = absl::StatusOr<MapPointer>;

class ShardWorkLock {
 public:
  explicit ShardWorkLock(CatalogStore& store) : store_(store), status_(store.LockShardWork()) {}
  ~ShardWorkLock() {
    if (status_.ok()) store_.UnlockShardWork();
  }
  ShardWorkLock(const ShardWorkLock&) = delete;
  ShardWorkLock& operator=(const ShardWorkLock&) = delete;
  const absl::Status& status() const { return status_; }

 private:
  CatalogStore& store_;
  absl::Status status_;
};

// One command under way.
class Execution {
 public:
  Execution(CatalogStore& store, const ShardAccess& access, ChangeOrigin origin, NoticeSink notices)
      : store_(store), access_(access), origin_(std::move(origin)), notices_(notices) {}

  // Commands that concern the map alone.
  template <typename T>
  MapOr Run(const T& command) {
    return store_.Change(origin_, [&](MapDraft& draft) { return Apply(command, draft); });
  }
  MapOr Run(CreateShard command);
  MapOr Run(const AttachTable& command);
  MapOr Run(const DetachTable& command);
  MapOr Run(const CreateReferenceTable& command);
  MapOr Run(const DropReferenceTable& command);

  // Commands about moves.
  absl::StatusOr<AdminResult> Answer(const MoveKeyRange& command);
  absl::StatusOr<AdminResult> Answer(const DirectMove& command);
  absl::StatusOr<AdminResult> Answer(const AlterMove& command);
  absl::StatusOr<AdminResult> Answer(const SetRebalancer& command);
  absl::StatusOr<AdminResult> Answer(const Show& command) { return ShowMoves(command, store_); }

 private:
  // Commands that look at shards first: `work(planned, shards)` gets the map that the command will
  // make, and connections to the shards that `choose(planned)` names; what it locks stays locked
  // until after the change.
  template <typename T, typename Choose, typename Work>
  MapOr RunOnShards(const T& command, Choose choose, Work work);
  void PrepareIfReachable(const CreateShard& command);

  CatalogStore& store_;
  const ShardAccess& access_;
  const ChangeOrigin origin_;
  const NoticeSink notices_;
};

ShardSet AllShards(const ShardMap& map) { return map.AllShards(); }

ShardSet AllButDefault(const ShardMap& map) {
  ShardSet set;
  map.AllShards().ForEach([&](ShardIndex shard) {
    if (shard != ShardMap::kDefaultShard) set.Add(shard);
  });
  return set;
}

ShardSet DefaultAndLast(const ShardMap& map) {
  ShardSet set = ShardSet::Of(ShardMap::kDefaultShard);
  set.Add(ShardIndex{static_cast<uint16_t>(map.shards().size() - 1)});
  return set;
}

template <typename T, typename Choose, typename Work>
MapOr Execution::RunOnShards(const T& command, Choose choose, Work work) {
  const ShardWorkLock lock(store_);
  if (!lock.status().ok()) return lock.status();
  auto map = store_.Load();
  if (!map.ok()) return map.status();
  MapDraft draft = DraftOf(**map);
  if (absl::Status applied = Apply(command, draft); !applied.ok()) return applied;
  auto planned = BuildMap((*map)->epoch(), draft);
  if (!planned.ok()) return planned.status();
  auto shards = ConnectPrimaries(access_, **planned, choose(**planned));
  if (!shards.ok()) return shards.status();
  absl::Status done = SweepUnfinishedCopies(absl::MakeSpan(*shards));
  if (done.ok()) done = work(**planned, *shards);
  if (!done.ok()) return done;
  return store_.ChangeAt((*map)->epoch(), origin_,
                         [&](MapDraft& now) { return Apply(command, now); });
}

// Only a warning: the map may be written before its servers are started. They are prepared again by
// the recovery of transactions.
void Execution::PrepareIfReachable(const CreateShard& command) {
  auto primary = ConnectPrimary(access_, {command.name, command.nodes, command.dbname});
  const absl::Status prepared =
      primary.ok() ? EnsureShardSupport(primary->connection) : primary.status();
  if (prepared.ok()) return;
  const SqlError error = ToSqlError(prepared);
  notices_({.message = error.message, .detail = error.detail, .hint = error.hint});
}

MapOr Execution::Run(CreateShard command) {
  auto map = store_.Load();
  if (!map.ok()) return map.status();
  absl::Status numbered = store_.Use([&](PgConnection& catalog) -> absl::Status {
    const auto number = catalog.Query("SELECT nextval('shard_numbers')");
    if (number.ok()) command.number = std::atoi(number->Text(0, 0).c_str());
    return number.status();
  });
  if (!numbered.ok()) return numbered;
  if ((*map)->tables().empty()) {
    auto changed = store_.ChangeAt((*map)->epoch(), origin_,
                                   [&](MapDraft& draft) { return Apply(command, draft); });
    if (changed.ok()) PrepareIfReachable(command);
    return changed;
  }
  return RunOnShards(command, DefaultAndLast, [&](const ShardMap& planned, WorkShards& shards) {
    return PrepareNewShard(access_, planned, shards);
  });
}

MapOr Execution::Run(const AttachTable& command) {
  return RunOnShards(
      command, AllShards, [&](const ShardMap& planned, WorkShards& shards) -> absl::Status {
        const Distribution& distribution = *planned.FindDistribution(command.distribution);
        auto definition = EnsureTable(access_, absl::MakeSpan(shards), command.table);
        if (!definition.ok()) return definition.status();
        absl::Status keys = CheckKeyColumns(command, distribution, *definition);
        if (!keys.ok()) return keys;
        const auto undivided = DivideSequences(absl::MakeSpan(shards), command.table);
        if (!undivided.ok()) return undivided.status();
        for (const AdminNotice& warning : *undivided) notices_(warning);
        absl::Status owned = CheckOwnership(absl::MakeSpan(shards), command.table,
                                            command.key_columns, distribution);
        if (!owned.ok()) return owned;
        for (const AdminNotice& warning : ShardingWarnings(command, planned, *definition)) {
          notices_(warning);
        }
        return absl::OkStatus();
      });
}

MapOr Execution::Run(const DetachTable& command) {
  return RunOnShards(command, AllButDefault, [&](const ShardMap& planned, WorkShards& shards) {
    const std::string& home = planned.shards().front().name;
    return CheckEmpty(
        absl::MakeSpan(shards), command.table,
        fmt::format("A local table lives on the default shard \"{}\" alone: move its rows there, "
                    "or delete them, first.",
                    home));
  });
}

MapOr Execution::Run(const CreateReferenceTable& command) {
  return RunOnShards(command, AllShards, [&](const ShardMap&, WorkShards& shards) -> absl::Status {
    auto definition = EnsureTable(access_, absl::MakeSpan(shards), command.table);
    if (!definition.ok()) return definition.status();
    return EnsureSameRows(absl::MakeSpan(shards), command.table, *definition, std::nullopt);
  });
}

MapOr Execution::Run(const DropReferenceTable& command) {
  auto map = store_.Change(origin_, [&](MapDraft& draft) { return Apply(command, draft); });
  if (map.ok() && (*map)->shards().size() > 1) {
    notices_({.severity = "NOTICE",
              .sqlstate = "00000",
              .message = fmt::format("{} is a local table of shard \"{}\" now",
                                     command.table.ToString(), (*map)->shards().front().name),
              .detail = "Its copies on the other shards stay as they are and are not used.",
              .hint = {}});
  }
  return map;
}

absl::StatusOr<AdminResult> Execution::Answer(const MoveKeyRange& command) {
  auto map = store_.Load();
  if (!map.ok()) return map.status();
  auto request = RequestMove(command, **map);
  if (!request.ok()) return request.status();
  AdminResult result{{NewMoveColumns(), {}}, TagOf(command)};
  absl::Status added = store_.Use([&](PgConnection& catalog) -> absl::Status {
    auto move = AddMove(catalog, *request, origin_.who);
    if (move.ok()) result.table.rows = {{std::to_string(*move)}};
    return move.status();
  });
  if (!added.ok()) return added;
  return result;
}

absl::StatusOr<AdminResult> Execution::Answer(const DirectMove& command) {
  absl::Status set = store_.Use(
      [&](PgConnection& catalog) { return SetMoveWish(catalog, command.move, command.wish); });
  if (!set.ok()) return set;
  return AdminResult{{}, TagOf(command)};
}

absl::StatusOr<AdminResult> Execution::Answer(const SetRebalancer& command) {
  constexpr std::string_view kModes[] = {"off", "dry run", "on"};
  absl::Status set = store_.Use([&](PgConnection& catalog) {
    return StoreRebalancer(catalog, kModes[static_cast<size_t>(command.mode)], command.options);
  });
  if (!set.ok()) return set;
  return AdminResult{{}, TagOf(command)};
}

absl::StatusOr<AdminResult> Execution::Answer(const AlterMove& command) {
  absl::Status set = store_.Use(
      [&](PgConnection& catalog) { return ChangeMove(catalog, command.move, command.change); });
  if (!set.ok()) return set;
  return AdminResult{{}, TagOf(command)};
}

}  // namespace

AdminExecutor::AdminExecutor(CatalogStore& store, ShardAccess access)
    : store_(store), access_(std::move(access)) {}

absl::StatusOr<AdminOutcome> AdminExecutor::Execute(const Command& command, std::string_view text,
                                                    std::string_view who, NoticeSink notices) {
  Execution execution(store_, access_, {std::string(who), std::string(text)}, notices);
  std::optional<absl::StatusOr<AdminResult>> answer;
  MapOr map = std::visit(
      [&](const auto& concrete) -> MapOr {
        if constexpr (requires(MapDraft draft) { Apply(concrete, draft); }) {
          return execution.Run(concrete);
        } else if constexpr (requires { execution.Answer(concrete); }) {
          answer = execution.Answer(concrete);
          return MapPointer();
        } else {
          return SqlStatus(sqlstate::kInternalError, "not a command that changes the catalog");
        }
      },
      command);
  if (answer) {
    if (!answer->ok()) return answer->status();
    return AdminOutcome{**std::move(answer), nullptr};
  }
  if (!map.ok()) return map.status();
  return AdminOutcome{{{}, TagOf(command)}, *std::move(map)};
}

}  // namespace meridian
