#include "sharding/catalog/map_draft.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

template <typename Items, typename Matches>
auto* FindIf(Items& items, Matches matches) {
  const auto found = std::find_if(items.begin(), items.end(), matches);
  return found == items.end() ? nullptr : &*found;
}

absl::StatusOr<ShardIndex> IndexOf(const StringMap<ShardIndex>& shards, const std::string& name) {
  const auto found = shards.find(name);
  if (found != shards.end()) return found->second;
  return SqlStatus(sqlstate::kUndefinedObject, fmt::format("shard \"{}\" does not exist", name));
}

absl::StatusOr<Distribution> BuildDistribution(const DraftDistribution& draft,
                                               const StringMap<ShardIndex>& shards) {
  std::vector<KeyRange> ranges;
  ranges.reserve(draft.ranges.size());
  for (const DraftRange& range : draft.ranges) {
    const auto owner = IndexOf(shards, range.owner);
    if (!owner.ok()) return owner.status();
    KeyRange& built = ranges.emplace_back(KeyRange{range.name, range.lower, *owner});
    if (!range.move) continue;
    const auto peer = IndexOf(shards, range.move->peer);
    if (!peer.ok()) return peer.status();
    built.move = RangeMove{*peer, range.move->held, range.move->complete_at};
  }
  return Distribution::Build(draft.name, draft.columns, std::move(ranges));
}

absl::StatusOr<size_t> DistributionIndex(const MapDraft& draft, const std::string& name) {
  const auto* found = FindIf(draft.distributions, [&](const auto& d) { return d.name == name; });
  if (found != nullptr) return static_cast<size_t>(found - draft.distributions.data());
  return SqlStatus(sqlstate::kUndefinedObject,
                   fmt::format("distribution \"{}\" does not exist", name));
}

absl::StatusOr<std::vector<StrayRows>> BuildStrays(const MapDraft& draft,
                                                   const StringMap<ShardIndex>& shards) {
  std::vector<StrayRows> strays;
  for (const DraftStrays& rows : draft.strays) {
    const auto shard = shards.find(rows.shard);
    const auto distribution = DistributionIndex(draft, rows.distribution);
    if (shard == shards.end() || !distribution.ok()) {
      return SqlStatus(
          sqlstate::kObjectInUse,
          fmt::format("rows of distribution \"{}\" are being moved to or from shard \"{}\"",
                      rows.distribution, rows.shard));
    }
    strays.push_back({shard->second, *distribution, rows.lower, rows.upper});
  }
  return strays;
}

absl::StatusOr<std::vector<MappedTable>> BuildTables(const MapDraft& draft) {
  std::vector<MappedTable> tables;
  tables.reserve(draft.tables.size());
  for (const DraftTable& table : draft.tables) {
    MappedTable mapped{table.name, table.kind, 0, table.key_columns};
    if (table.kind == MappedTable::Kind::kSharded) {
      const auto distribution = DistributionIndex(draft, table.distribution);
      if (!distribution.ok()) return distribution.status();
      mapped.distribution = *distribution;
    }
    tables.push_back(std::move(mapped));
  }
  return tables;
}

}  // namespace

Shard* MapDraft::FindShard(std::string_view name) {
  return FindIf(shards, [&](const Shard& shard) { return shard.name == name; });
}

DraftDistribution* MapDraft::FindDistribution(std::string_view name) {
  return FindIf(distributions, [&](const DraftDistribution& d) { return d.name == name; });
}

DraftTable* MapDraft::FindTable(const TableName& name) {
  return FindIf(tables, [&](const DraftTable& table) { return table.name == name; });
}

MapDraft DraftOf(const ShardMap& map) {
  MapDraft draft;
  draft.shards = map.shards();
  for (const Distribution& distribution : map.distributions()) {
    DraftDistribution copy{distribution.name(), distribution.columns(), {}};
    for (const KeyRange& range : distribution.ranges()) {
      DraftRange& draft_range = copy.ranges.emplace_back(
          DraftRange{range.name, range.lower, map.shard(range.owner).name});
      if (range.move) {
        draft_range.move = DraftRangeMove{map.shard(range.move->peer).name, range.move->held,
                                          range.move->complete_at};
      }
    }
    draft.distributions.push_back(std::move(copy));
  }
  for (const MappedTable& table : map.tables()) {
    DraftTable copy{table.name, table.kind, {}, table.key_columns};
    if (table.kind == MappedTable::Kind::kSharded) {
      copy.distribution = map.distributions()[table.distribution].name();
    }
    draft.tables.push_back(std::move(copy));
  }
  for (const StrayRows& rows : map.strays()) {
    draft.strays.push_back({map.shard(rows.shard).name,
                            map.distributions()[rows.distribution].name(), rows.lower, rows.upper});
  }
  return draft;
}

absl::StatusOr<std::shared_ptr<const ShardMap>> BuildMap(Epoch epoch, const MapDraft& draft) {
  if (draft.shards.size() > kMaxShards) {
    return SqlStatus(sqlstate::kProgramLimitExceeded,
                     fmt::format("a map holds at most {} shards", kMaxShards));
  }
  StringMap<ShardIndex> shards;
  for (const Shard& shard : draft.shards) {
    shards.emplace(shard.name, ShardIndex{static_cast<uint16_t>(shards.size())});
  }
  std::vector<Distribution> distributions;
  distributions.reserve(draft.distributions.size());
  for (const DraftDistribution& distribution : draft.distributions) {
    auto built = BuildDistribution(distribution, shards);
    if (!built.ok()) return built.status();
    distributions.push_back(*std::move(built));
  }
  auto tables = BuildTables(draft);
  if (!tables.ok()) return tables.status();
  auto strays = BuildStrays(draft, shards);
  if (!strays.ok()) return strays.status();
  return ShardMap::Build(epoch, draft.shards, std::move(distributions), *std::move(tables),
                         *std::move(strays));
}

}  // namespace meridian
