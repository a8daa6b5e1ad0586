#include "rebalance/table_sample.h"

#include <fmt/format.h>

#include <algorithm>

namespace meridian {
namespace {

// Rows that are looked at, about.
constexpr uint64_t kSampleRows = 20'000;
// The size of a row, where statistics do not tell how many there are.
constexpr uint64_t kRowBytes = 500;

}  // namespace

std::string SampledTable::Sql() const {
  return fmt::format("{} t TABLESAMPLE SYSTEM ({}) REPEATABLE (0)", name.ToString(), percent);
}

absl::StatusOr<SampledTable> SampleTable(PgConnection& shard, const TableName& table) {
  auto whole = shard.Query(
      "SELECT coalesce(sum(pg_table_size(c.oid) - pg_relation_size(c.oid, 'fsm')"
      " - pg_relation_size(c.oid, 'vm')), 0)::bigint,"
      " coalesce(sum(reltuples) FILTER (WHERE reltuples > 0), 0)::bigint FROM pg_class c"
      " WHERE c.oid = $1::regclass OR c.oid IN (SELECT relid FROM pg_partition_tree($1::regclass))",
      {{table.ToString()}});
  if (!whole.ok()) return whole.status();
  SampledTable sampled{.name = table, .bytes = whole->Number(0, 0), .percent = 100};
  const uint64_t rows = std::max(whole->Number(0, 1), sampled.bytes / kRowBytes);
  if (rows > kSampleRows) sampled.percent = 100.0 * kSampleRows / static_cast<double>(rows);
  return sampled;
}

}  // namespace meridian
