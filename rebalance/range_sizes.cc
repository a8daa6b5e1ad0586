#include "rebalance/range_sizes.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "rebalance/split_point.h"
#include "rebalance/table_sample.h"
#include "sharding/quote.h"
#include "sharding/range_sql.h"

namespace meridian {
namespace {

// What a row needs besides its values: its header and its place in the page.
constexpr int kRowOverhead = 28;

uint64_t Number(const std::string& text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

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
    bytes[Number(sizes->Text(r, 0))] += Number(sizes->Text(r, 1));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<RangeLoad>> MeasureRanges(
    const ShardMap& map, const ShardAccess& access,
    const std::optional<std::string>& distribution) {
  std::vector<std::map<size_t, uint64_t>> bytes(map.distributions().size());
  for (size_t s = 0; s < map.shards().size(); ++s) {
    auto primary = ConnectPrimary(access, map.shards()[s]);
    if (!primary.ok()) return primary.status();
    for (const MappedTable& table : map.tables()) {
      if (table.kind != MappedTable::Kind::kSharded) continue;
      const Distribution& of = map.distributions()[table.distribution];
      if (distribution && of.name() != *distribution) continue;
      absl::Status added = AddTable(primary->connection, table, of, {static_cast<uint16_t>(s)},
                                    bytes[table.distribution]);
      if (!added.ok()) return added;
    }
  }
  std::vector<RangeLoad> loads;
  for (size_t d = 0; d < map.distributions().size(); ++d) {
    const Distribution& of = map.distributions()[d];
    if (distribution && of.name() != *distribution) continue;
    for (size_t r = 0; r < of.ranges().size(); ++r) {
      const KeyRange& range = of.ranges()[r];
      loads.push_back({of.name(), range.name, map.shard(range.owner).name, bytes[d][r],
                       !range.move && (!of.columns().front().hashed || PointOfHashes(of, r, 0.5))});
    }
  }
  return loads;
}

}  // namespace meridian
