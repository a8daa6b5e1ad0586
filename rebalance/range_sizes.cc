#include "rebalance/range_sizes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "sharding/quote.h"
#include "sharding/range_sql.h"

namespace meridian {
namespace {

// What a row needs besides its values: its header and its place in the page.
constexpr int kRowOverhead = 28;
// Rows of each table that are looked at, about.
constexpr uint64_t kSampleRows = 20'000;

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
  const std::string name = table.name.ToString();
  auto whole = shard.Query(
      "SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint,"
      " coalesce(sum(reltuples) FILTER (WHERE reltuples > 0), 0)::bigint FROM pg_class c"
      " WHERE c.oid = $1::regclass OR c.oid IN (SELECT relid FROM pg_partition_tree($1::regclass))",
      {{name}});
  if (!whole.ok()) return whole.status();
  const uint64_t size = Number(whole->Text(0, 0));
  // A table that was never analyzed does not know its rows.
  const uint64_t rows = std::max(Number(whole->Text(0, 1)), size / 500);
  const double percent = rows > kSampleRows ? 100.0 * kSampleRows / static_cast<double>(rows) : 100;
  // Of rows, not of files: what a move has left empty is no load.
  auto sizes = shard.Query(
      fmt::format("SELECT range, (sum(bytes) * 100 / {})::bigint FROM (SELECT CASE{} END AS range,"
                  " pg_column_size(t.*) + {} AS bytes FROM {} t TABLESAMPLE SYSTEM ({}) REPEATABLE "
                  "(0)) s GROUP BY range",
                  percent, cases, kRowOverhead, name, percent));
  if (!sizes.ok()) return sizes.status();
  for (size_t r = 0; r < sizes->rows(); ++r) {
    if (!sizes->Get(r, 0)) continue;  // strays
    bytes[Number(sizes->Text(r, 0))] += Number(sizes->Text(r, 1));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<KeyBound> MiddleOf(const Distribution& distribution, size_t range) {
  if (!distribution.columns().front().hashed) return std::nullopt;
  const KeyBound& lower = distribution.ranges()[range].lower;
  const KeyBound* const upper = distribution.UpperOf(range);
  const int64_t low =
      lower.is_min() ? std::numeric_limits<int64_t>::min() : std::get<int64_t>(lower.values[0]);
  const int64_t high =
      upper == nullptr ? std::numeric_limits<int64_t>::max() : std::get<int64_t>(upper->values[0]);
  const auto width = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  if (high <= low || width < 4) return std::nullopt;
  return KeyBound{{KeyValue(static_cast<int64_t>(static_cast<uint64_t>(low) + width / 2))}};
}

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
                       MiddleOf(of, r).has_value() && !range.move});
    }
  }
  return loads;
}

}  // namespace meridian
