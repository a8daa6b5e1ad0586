#include "sharding/shard_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

template <typename... Args>
absl::Status Invalid(fmt::format_string<Args...> format, Args&&... args) {
  return SqlStatus(sqlstate::kInvalidParameterValue,
                   fmt::format(format, std::forward<Args>(args)...));
}

absl::Status CheckShards(const std::vector<Shard>& shards) {
  if (shards.size() > kMaxShards) return Invalid("more than {} shards", kMaxShards);
  std::set<std::string_view> names;
  std::set<std::pair<NodeAddress, std::string>> databases;
  for (const Shard& shard : shards) {
    if (shard.name.empty()) return Invalid("a shard has no name");
    if (!names.insert(shard.name).second) return Invalid("two shards \"{}\"", shard.name);
    if (shard.nodes.empty()) return Invalid("shard \"{}\" has no node", shard.name);
    for (const NodeAddress& node : shard.nodes) {
      // A scatter read over two names of one database would give each row twice.
      if (!databases.emplace(node, shard.dbname).second) {
        return Invalid("node {} is listed twice, the second time in shard \"{}\"", node.ToString(),
                       shard.name);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDistributions(const std::vector<Distribution>& distributions,
                                size_t shard_count) {
  std::set<std::string_view> names;
  for (const Distribution& distribution : distributions) {
    if (!names.insert(distribution.name()).second) {
      return Invalid("two distributions \"{}\"", distribution.name());
    }
    for (const KeyRange& range : distribution.ranges()) {
      if (range.owner.value >= shard_count) {
        return Invalid("key range \"{}\" of distribution \"{}\" has no owner", range.name,
                       distribution.name());
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckKeyColumns(const MappedTable& table,
                             const std::vector<Distribution>& distributions) {
  if (table.kind == MappedTable::Kind::kReference) {
    if (table.key_columns.empty()) return absl::OkStatus();
    return Invalid("reference table {} has key columns", table.name.ToString());
  }
  if (table.distribution >= distributions.size()) {
    return Invalid("table {} has no distribution", table.name.ToString());
  }
  const Distribution& distribution = distributions[table.distribution];
  if (table.key_columns.size() != distribution.columns().size()) {
    return Invalid("table {} has {} key columns, its distribution \"{}\" has {}",
                   table.name.ToString(), table.key_columns.size(), distribution.name(),
                   distribution.columns().size());
  }
  std::set<std::string_view> columns;
  for (const std::string& column : table.key_columns) {
    if (column.empty() || !columns.insert(column).second) {
      return Invalid("table {} has a key column \"{}\" that is empty or there twice",
                     table.name.ToString(), column);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTables(const std::vector<MappedTable>& tables,
                         const std::vector<Distribution>& distributions) {
  std::set<TableName> names;
  for (const MappedTable& table : tables) {
    if (table.name.schema.empty() || table.name.name.empty()) {
      return Invalid("a table has no name or no schema");
    }
    if (!names.insert(table.name).second) return Invalid("two tables {}", table.name.ToString());
    if (absl::Status status = CheckKeyColumns(table, distributions); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckMoving(const std::vector<Distribution>& distributions, size_t shard_count) {
  size_t count = 0;
  for (const Distribution& distribution : distributions) {
    for (const KeyRange& range : distribution.ranges()) {
      if (!range.move) continue;
      if (range.move->peer.value >= shard_count || range.move->peer == range.owner) {
        return Invalid("key range \"{}\" moves to or from no other shard", range.name);
      }
      if (++count > kMaxMovingRanges) {
        return Invalid("more than {} key ranges are on the move", kMaxMovingRanges);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckStrays(const std::vector<StrayRows>& strays,
                         const std::vector<Distribution>& distributions, size_t shard_count) {
  for (const StrayRows& rows : strays) {
    if (rows.shard.value >= shard_count || rows.distribution >= distributions.size()) {
      return Invalid("stray rows of a shard or distribution that does not exist");
    }
    const Distribution& distribution = distributions[rows.distribution];
    if (rows.upper && Compare(rows.lower.values, rows.upper->values) >= 0) {
      return Invalid("stray rows of distribution \"{}\" lie in an empty interval",
                     distribution.name());
    }
    for (size_t i = 0; i < distribution.ranges().size(); ++i) {
      const KeyRange& range = distribution.ranges()[i];
      const KeyBound* const end = distribution.UpperOf(i);
      const bool before = end != nullptr && Compare(end->values, rows.lower.values) <= 0;
      const bool behind = rows.upper && Compare(range.lower.values, rows.upper->values) >= 0;
      if (range.owner == rows.shard && !before && !behind) {
        return Invalid(
            "stray rows of distribution \"{}\" lie in range \"{}\", which their shard "
            "owns",
            distribution.name(), range.name);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string TableName::ToString() const {
  return QuoteIdentifier(schema) + "." + QuoteIdentifier(name);
}

absl::StatusOr<std::shared_ptr<const ShardMap>> ShardMap::Build(
    Epoch epoch, std::vector<Shard> shards, std::vector<Distribution> distributions,
    std::vector<MappedTable> tables, std::vector<StrayRows> strays) {
  if (absl::Status status = CheckShards(shards); !status.ok()) return status;
  if (absl::Status status = CheckDistributions(distributions, shards.size()); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckTables(tables, distributions); !status.ok()) return status;
  if (absl::Status status = CheckStrays(strays, distributions, shards.size()); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckMoving(distributions, shards.size()); !status.ok()) return status;

  auto map = std::make_shared<ShardMap>();
  map->epoch_ = epoch;
  map->shards_ = std::move(shards);
  map->distributions_ = std::move(distributions);
  map->tables_ = std::move(tables);
  map->strays_ = std::move(strays);
  for (const StrayRows& rows : map->strays_) map->shards_with_strays_.Add(rows.shard);
  map->FindMoving();
  for (size_t i = 0; i < map->shards_.size(); ++i) {
    map->shard_by_name_[map->shards_[i].name] = {static_cast<uint16_t>(i)};
  }
  for (size_t i = 0; i < map->distributions_.size(); ++i) {
    map->distribution_by_name_[map->distributions_[i].name()] = i;
  }
  for (size_t i = 0; i < map->tables_.size(); ++i) {
    const TableName& name = map->tables_[i].name;
    map->table_by_schema_and_name_[name.schema][name.name] = i;
  }
  return map;
}

void ShardMap::FindMoving() {
  for (size_t d = 0; d < distributions_.size(); ++d) {
    distributions_[d].NumberMoving(moving_.size());
    const std::vector<KeyRange>& ranges = distributions_[d].ranges();
    for (size_t r = 0; r < ranges.size(); ++r) {
      if (!ranges[r].move) continue;
      moving_.push_back({d, r});
      if (ranges[r].move->held) held_ |= ranges[r].moving;
    }
  }
}

MovingSet ShardMap::MovingAt(ShardIndex shard) const {
  MovingSet set = 0;
  for (const MovingRange& at : moving_) {
    const KeyRange& moving = range(at);
    if (moving.owner == shard || moving.move->peer == shard) set |= moving.moving;
  }
  return set;
}

Lsn ShardMap::CompleteAt(ShardIndex shard) const {
  Lsn lsn = 0;
  for (const MovingRange& at : moving_) {
    const KeyRange& moving = range(at);
    if (moving.owner == shard) lsn = std::max(lsn, moving.move->complete_at);
  }
  return lsn;
}

std::optional<ShardIndex> ShardMap::FindShard(std::string_view name) const {
  const auto found = shard_by_name_.find(name);
  if (found == shard_by_name_.end()) return std::nullopt;
  return found->second;
}

const Distribution* ShardMap::FindDistribution(std::string_view name) const {
  const auto found = distribution_by_name_.find(name);
  return found == distribution_by_name_.end() ? nullptr : &distributions_[found->second];
}

const MappedTable* ShardMap::FindTable(std::string_view schema, std::string_view name) const {
  const auto in_schema = table_by_schema_and_name_.find(schema);
  if (in_schema == table_by_schema_and_name_.end()) return nullptr;
  const auto found = in_schema->second.find(name);
  return found == in_schema->second.end() ? nullptr : &tables_[found->second];
}

}  // namespace meridian
