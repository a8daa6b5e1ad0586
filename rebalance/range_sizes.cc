#include "rebalance/range_sizes.h"

#include <absl/types/span.h>
#include <fmt/format.h>

#include <map>

#include "rebalance/split_point.h"
#include "rebalance/table_sample.h"
#include "sharding/quote.h"
#include "sharding/range_sql.h"

namespace meridian {
namespace {

// What a row needs besides its values: its header and its place in the page.
constexpr int kRowOverhead = 28;
// A range with less than this part of its shard's bytes is not cut.
constexpr uint64_t kLargePart = 10;

// Bytes of the table on the shard, by the ranges that the shard owns.
absl::Status AddTable(PgConnection& shard, const MappedTable& table,
                      const Distribution& distribution, ShardIndex owner,
                      std::map<size_t, uint64_t>& bytes) {
  std::vector<std::string> keys;
  for (const std::string& key : table.key_columns) keys.push_back(QuoteIdentifier(key));
  std::string cases;
  for (size_t r = 0; r < distribution.ranges().size(); ++r) {
    if (distribution.ranges()[r].owner != owner) continue;
    cases += fmt::format(" WHEN {} THEN {}", RangeSql(distribution, r, keys), r);
  }
  if (cases.empty()) return absl::OkStatus();
  const auto sampled = SampleTable(shard, table.name);
  if (!sampled.ok()) return sampled.status();
  // Of rows, not of files: what a move has left empty is no load.
  auto sizes = shard.Query(
      fmt::format("SELECT range, (sum(bytes) * 100 / {})::bigint FROM (SELECT CASE{} END AS range,"
                  " pg_column_size(t.*) + {} AS bytes FROM {}) s GROUP BY range",
                  sampled->percent, cases, kRowOverhead, sampled->Sql()));
  if (!sizes.ok()) return sizes.status();
  for (size_t r = 0; r < sizes->rows(); ++r) {
    if (!sizes->Get(r, 0)) continue;  // strays
    bytes[sizes->Number(r, 0)] += sizes->Number(r, 1);
  }
  return absl::OkStatus();
}

// Those of the distribution that the shard owns.
absl::Status AddRanges(PgConnection& owner, const ShardMap& map, const Distribution& distribution,
                       ShardIndex shard, std::vector<RangeLoad>& loads) {
  std::map<size_t, uint64_t> bytes;
  for (const MappedTable& table : TablesOf(map, distribution)) {
    absl::Status added = AddTable(owner, table, distribution, shard, bytes);
    if (!added.ok()) return added;
  }
  for (size_t r = 0; r < distribution.ranges().size(); ++r) {
    const KeyRange& range = distribution.ranges()[r];
    if (range.owner != shard) continue;
    const bool halves = PointOfHashes(distribution, r, 0.5).has_value();
    loads.push_back(
        {distribution.name(), range.name, map.shard(shard).name, bytes[r], !range.move && halves});
  }
  return absl::OkStatus();
}

// Of a shard's ranges, those of keys as they are are cut where a sample says; only large ones are
// looked at.
absl::Status FindMiddles(PgConnection& owner, const ShardMap& map, absl::Span<RangeLoad> loads) {
  uint64_t all = 0;
  for (const RangeLoad& load : loads) all += load.weight;
  for (RangeLoad& load : loads) {
    const Distribution& distribution = *map.FindDistribution(load.distribution);
    if (distribution.columns().front().hashed || load.weight <= all / kLargePart) continue;
    for (size_t r = 0; r < distribution.ranges().size(); ++r) {
      const KeyRange& range = distribution.ranges()[r];
      if (range.name != load.range || range.move) continue;
      auto middle = SplitPoint(owner, TablesOf(map, distribution), distribution, r, 0.5);
      if (!middle.ok()) return middle.status();
      load.middle = *std::move(middle);
      load.can_split = load.middle.has_value();
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<RangeLoad>> MeasureRanges(
    const ShardMap& map, const ShardAccess& access,
    const std::optional<std::string>& distribution) {
  std::vector<RangeLoad> loads;
  for (size_t s = 0; s < map.shards().size(); ++s) {
    const ShardIndex shard{static_cast<uint16_t>(s)};
    auto primary = ConnectPrimary(access, map.shard(shard));
    if (!primary.ok()) return primary.status();
    const size_t first = loads.size();
    for (const Distribution& of : map.distributions()) {
      if (distribution && of.name() != *distribution) continue;
      absl::Status added = AddRanges(primary->connection, map, of, shard, loads);
      if (!added.ok()) return added;
    }
    absl::Status found =
        FindMiddles(primary->connection, map, absl::MakeSpan(loads).subspan(first));
    if (!found.ok()) return found;
  }
  return loads;
}

}  // namespace meridian
