#include "rebalance/balance_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "rebalance/balance_policy.h"
#include "rebalance/map_steps.h"
#include "rebalance/preflight.h"
#include "rebalance/range_loads.h"
#include "rebalance/range_sizes.h"
#include "rebalance/split_point.h"
#include "sharding/admin/bound_text.h"
#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using MapPointer = std::shared_ptr<const ShardMap>;

class Balance {
 public:
  Balance(CatalogStore& store, const ShardAccess& access, ChangeOrigin origin)
      : store_(store), access_(access), origin_(std::move(origin)) {}

  absl::StatusOr<AdminOutcome> Run(const Rebalance& command);
  absl::StatusOr<AdminOutcome> Run(const DrainShard& command);
  absl::StatusOr<AdminOutcome> Run(const IsolateKey& command);
  // The first move of REBALANCE and what comes before it; what was decided, for people.
  absl::StatusOr<std::string> RunFirst(bool dry_run, BalanceOptions options, uint64_t max_rate);

 private:
  absl::StatusOr<std::vector<Proposal>> Propose(const ShardMap& map,
                                                const std::optional<std::string>& distribution,
                                                BalanceOptions options);
  absl::StatusOr<AdminOutcome> Finish(const std::vector<Proposal>& proposals, bool dry_run,
                                      std::string tag);
  absl::StatusOr<std::optional<KeyBound>> MiddleOf(const Proposal& proposal);
  absl::Status Split(const Proposal& proposal);
  absl::StatusOr<uint64_t> Move(const Proposal& proposal);

  CatalogStore& store_;
  const ShardAccess& access_;
  const ChangeOrigin origin_;
  MapPointer map_;  // after the last split
  Measure measure_ = Measure::kBytes;
  uint64_t max_rate_ = 0;  // of the moves
};

std::vector<std::string> Names(const ShardMap& map) {
  std::vector<std::string> names;
  for (const Shard& shard : map.shards()) names.push_back(shard.name);
  return names;
}

std::set<std::string> RangeNames(const ShardMap& map) {
  std::set<std::string> names;
  for (const Distribution& distribution : map.distributions()) {
    for (const KeyRange& range : distribution.ranges()) names.insert(range.name);
  }
  return names;
}

absl::StatusOr<AdminOutcome> Balance::Run(const Rebalance& command) {
  auto map = store_.Load();
  if (!map.ok()) return map.status();
  MapDraft draft = DraftOf(**map);
  if (command.distribution) {
    auto found = RequireDistribution(draft, *command.distribution);
    if (!found.ok()) return found.status();
  }
  const Measure measure = command.by_load ? Measure::kLoad : Measure::kBytes;
  auto proposals = Propose(**map, command.distribution, {.measure = measure});
  if (!proposals.ok()) return proposals.status();
  return Finish(*proposals, command.dry_run, TagOf(command));
}

absl::StatusOr<std::vector<Proposal>> Balance::Propose(
    const ShardMap& map, const std::optional<std::string>& distribution, BalanceOptions options) {
  measure_ = options.measure;
  auto ranges = options.measure == Measure::kLoad ? MeasureLoads(map, store_, distribution)
                                                  : MeasureRanges(map, access_, distribution);
  if (!ranges.ok()) return ranges.status();
  return ProposeBalance(*std::move(ranges), Names(map), RangeNames(map), options);
}

absl::StatusOr<std::string> Balance::RunFirst(bool dry_run, BalanceOptions options,
                                              uint64_t max_rate) {
  max_rate_ = max_rate;
  auto map = store_.Load();
  if (!map.ok()) return map.status();
  auto proposals = Propose(**map, std::nullopt, options);
  if (!proposals.ok()) return proposals.status();
  const auto move =
      std::find_if(proposals->begin(), proposals->end(),
                   [](const Proposal& proposal) { return proposal.kind == Proposal::Kind::kMove; });
  if (move == proposals->end()) {
    return fmt::format("nothing to do: the shards have alike much{}",
                       options.measure == Measure::kLoad ? " to do" : "");
  }
  std::string decision = fmt::format("{} {} from {} to {}: {}", dry_run ? "would move" : "moves",
                                     move->range, move->from, move->to, move->reason);
  proposals->erase(move + 1, proposals->end());
  auto done = Finish(*proposals, dry_run, {});
  if (!done.ok()) return done.status();
  return decision;
}

absl::StatusOr<AdminOutcome> Balance::Run(const DrainShard& command) {
  auto map = store_.Load();
  if (!map.ok()) return map.status();
  MapDraft draft = DraftOf(**map);
  if (auto shard = RequireShard(draft, command.shard); !shard.ok()) return shard.status();
  auto ranges = MeasureRanges(**map, access_, std::nullopt);
  if (!ranges.ok()) return ranges.status();
  auto proposals = ProposeDrain(*ranges, Names(**map), command.shard);
  if (!proposals.ok()) return proposals.status();
  return Finish(*proposals, command.dry_run, TagOf(command));
}

// The key's range is cut out of the one that has it, in one change of the map.
absl::StatusOr<AdminOutcome> Balance::Run(const IsolateKey& command) {
  std::vector<Proposal> proposals;
  auto map = store_.Change(origin_, [&](MapDraft& draft) -> absl::Status {
    proposals.clear();
    auto found = RequireDistribution(draft, command.distribution);
    if (!found.ok()) return found.status();
    if (auto shard = RequireShard(draft, command.shard); !shard.ok()) return shard.status();
    auto now = BuildMap(Epoch{1}, draft);
    if (!now.ok()) return now.status();
    const Distribution& distribution = *(*now)->FindDistribution(command.distribution);
    auto point = ResolveKey(distribution, command.key);
    if (!point.ok()) return point.status();
    auto next = NextPoint(distribution.columns(), *point);
    if (!next.ok()) return next.status();
    std::vector<DraftRange>& ranges = (*found)->ranges;
    if (ranges.empty()) {
      return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                       fmt::format("distribution \"{}\" has no key range", command.distribution),
                       "Create one with CREATE KEY RANGE.");
    }
    const auto above = std::upper_bound(ranges.begin(), ranges.end(), *point,
                                        [](const KeyBound& b, const DraftRange& r) {
                                          return Compare(b.values, r.lower.values) < 0;
                                        });
    size_t at = static_cast<size_t>(above - ranges.begin()) - 1;
    if (absl::Status rests = RequireAtRest(ranges[at]); !rests.ok()) return rests;
    const std::string owner = ranges[at].owner;
    const bool ends_there =
        at + 1 < ranges.size() && Compare(ranges[at + 1].lower.values, next->values) == 0;
    if (!ends_there) {
      std::string rest = FreeRangeName(draft, ranges[at].name);
      ranges.insert(ranges.begin() + static_cast<long>(at) + 1, {std::move(rest), *next, owner});
    }
    if (Compare(ranges[at].lower.values, point->values) != 0) {
      std::string own = FreeRangeName(draft, ranges[at].name);
      ranges.insert(ranges.begin() + static_cast<long>(at) + 1, {std::move(own), *point, owner});
      ++at;
    }
    if (owner != command.shard) {
      proposals.push_back({Proposal::Kind::kMove, command.distribution, ranges[at].name, owner,
                           command.shard, 0, "a range of one key"});
    }
    return absl::OkStatus();
  });
  if (!map.ok()) return map.status();
  map_ = *std::move(map);
  return Finish(proposals, false, TagOf(command));
}

absl::StatusOr<std::optional<KeyBound>> Balance::MiddleOf(const Proposal& proposal) {
  auto map = store_.Load();
  if (!map.ok()) return map.status();
  const Distribution* const distribution = (*map)->FindDistribution(proposal.distribution);
  const auto shard = (*map)->FindShard(proposal.from);
  for (size_t r = 0; distribution != nullptr && shard && r < distribution->ranges().size(); ++r) {
    if (distribution->ranges()[r].name != proposal.range) continue;
    auto primary = ConnectPrimary(access_, (*map)->shard(*shard));
    if (!primary.ok()) return primary.status();
    return SplitPoint(primary->connection, TablesOf(**map, *distribution), *distribution, r, 0.5);
  }
  return std::nullopt;
}

absl::Status Balance::Split(const Proposal& proposal) {
  const auto middle = proposal.at ? proposal.at : MiddleOf(proposal);
  if (!middle.ok()) return middle.status();
  if (!middle->has_value()) {
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                     fmt::format("key range \"{}\" has the rows of one key only", proposal.range),
                     "MOVE KEY RANGE moves it as a whole.");
  }
  auto map = store_.Change(origin_, [&](MapDraft& draft) {
    return map_steps::Split(proposal.distribution, proposal.range, **middle, proposal.to, draft);
  });
  if (map.ok()) map_ = *std::move(map);
  return map.status();
}

absl::StatusOr<uint64_t> Balance::Move(const Proposal& proposal) {
  uint64_t id = 0;
  MoveRequest request{proposal.range, proposal.distribution, proposal.from, proposal.to, {}};
  request.options.max_rate = max_rate_;
  absl::Status added = store_.Use([&](PgConnection& catalog) -> absl::Status {
    auto move = AddMove(catalog, request, origin_.who);
    if (move.ok()) id = *move;
    return move.status();
  });
  if (!added.ok()) return added;
  return id;
}

absl::StatusOr<AdminOutcome> Balance::Finish(const std::vector<Proposal>& proposals, bool dry_run,
                                             std::string tag) {
  AdminTable table{BalanceColumns(), {}};
  for (const Proposal& proposal : proposals) {
    const bool split = proposal.kind == Proposal::Kind::kSplit;
    AdminValue move;
    if (!dry_run && split) {
      if (absl::Status done = Split(proposal); !done.ok()) return done;
    } else if (!dry_run) {
      auto added = Move(proposal);
      if (!added.ok()) return added.status();
      move = std::to_string(*added);
    }
    const bool by_load = measure_ == Measure::kLoad;
    const AdminValue bytes = by_load ? AdminValue() : std::to_string(proposal.weight);
    const AdminValue busy =
        by_load ? AdminValue(fmt::format("{:.1f}", static_cast<double>(proposal.weight) / 1000))
                : AdminValue();
    table.rows.push_back({split ? "split" : "move", proposal.distribution, proposal.range,
                          proposal.from, proposal.to, bytes, busy, move, proposal.reason});
  }
  return AdminOutcome{{std::move(table), std::move(tag)}, map_};
}

}  // namespace

std::vector<AdminColumn> BalanceColumns() {
  return {{"action"},
          {"distribution"},
          {"range"},
          {"from"},
          {"to"},
          {"bytes", type_oid::kInt8},
          {"busy_ms_per_s", type_oid::kFloat8},
          {"move", type_oid::kInt8},
          {"reason"}};
}

std::optional<absl::StatusOr<AdminOutcome>> ExecuteBalance(const Command& command,
                                                           const std::string& text,
                                                           const std::string& who,
                                                           CatalogStore& store,
                                                           const ShardAccess& access) {
  Balance balance(store, access, {who, text});
  if (const auto* const rebalance = std::get_if<Rebalance>(&command))
    return balance.Run(*rebalance);
  if (const auto* const drain = std::get_if<DrainShard>(&command)) return balance.Run(*drain);
  if (const auto* const isolate = std::get_if<IsolateKey>(&command)) return balance.Run(*isolate);
  const auto* const move = std::get_if<MoveKeyRange>(&command);
  if (move != nullptr && move->dry_run) return DryRunMove(*move, store, access);
  return std::nullopt;
}

absl::Status LookAtBalance(CatalogStore& store, const ShardAccess& access, const std::string& who,
                           std::chrono::milliseconds interval) {
  std::string mode = "off";
  BalanceOptions options;
  uint64_t max_rate = 0;
  absl::Status read = store.Use([&](PgConnection& catalog) -> absl::Status {
    auto due = catalog.Query(
        "UPDATE rebalancer SET looked_at = now(), looked_by = $1 WHERE mode <> 'off'"
        " AND coalesce(looked_at < now() - $2::interval, true) AND (window_from IS NULL OR"
        " CASE WHEN window_from <= window_to THEN (now() AT TIME ZONE 'UTC')::time >= window_from"
        " AND (now() AT TIME ZONE 'UTC')::time < window_to"
        " ELSE (now() AT TIME ZONE 'UTC')::time >= window_from"
        " OR (now() AT TIME ZONE 'UTC')::time < window_to END)"
        " RETURNING mode, measure, threshold, max_rate",
        {{who}, {fmt::format("{} ms", interval.count())}});
    if (due.ok() && due->rows() == 1) {
      mode = due->Text(0, 0);
      options.measure = due->Get(0, 1) == "load" ? Measure::kLoad : Measure::kBytes;
      options.slack = std::strtod(due->Text(0, 2).c_str(), nullptr) / 100;
      max_rate = due->Number(0, 3);
    }
    return due.status();
  });
  if (!read.ok() || mode == "off") return read;
  auto decision = Balance(store, access, {"rebalancer", "SET REBALANCER ON"})
                      .RunFirst(mode == "dry run", options, max_rate);
  const std::string text =
      decision.ok() ? *decision : "cannot look: " + ToSqlError(decision.status()).message;
  return store.Use([&](PgConnection& catalog) {
    return catalog.Query("UPDATE rebalancer SET decision = $1", {{text}}).status();
  });
}

}  // namespace meridian
