#include "rebalance/stream/moved_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/range_sql.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Of the table, and whether it is one of the columns of the replica identity.
constexpr char kColumnsSql[] = R"(
SELECT a.attname, a.attgenerated = '', a.attidentity = 'a',
       coalesce(a.attnum = ANY (i.indkey::pg_catalog.int2[]), false)
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
  AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
WHERE c.oid = $1::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum)";

// What a partition logs is by its own identity.
constexpr char kOddPartitionSql[] = R"(
SELECT t.relid::pg_catalog.regclass
FROM pg_catalog.pg_partition_tree($1::pg_catalog.regclass) t
JOIN pg_catalog.pg_class c ON c.oid = t.relid
WHERE c.relreplident <> 'd' AND t.level > 0 LIMIT 1)";

absl::Status NoIdentity(std::string message) {
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState, std::move(message),
                   "Give the table a primary key that contains the distribution key, or a unique "
                   "index by ALTER TABLE ... REPLICA IDENTITY USING INDEX.");
}

}  // namespace

absl::StatusOr<MovedTable> ReadMovedTable(PgConnection& source, const MappedTable& table,
                                          const Distribution& distribution, size_t range) {
  MovedTable moved;
  moved.name = table.name;
  const std::string name = table.name.ToString();
  auto columns = source.Query(kColumnsSql, {{name}});
  if (!columns.ok()) return columns.status();
  for (size_t r = 0; r < columns->rows(); ++r) {
    const std::string column = columns->Text(r, 0);
    if (columns->Text(r, 1) == "t") {
      moved.columns.push_back(column);
      if (columns->Text(r, 2) == "f") moved.settable.push_back(column);
    }
    if (columns->Text(r, 3) == "t") moved.identity.push_back(column);
  }
  if (moved.identity.empty()) {
    return NoIdentity(fmt::format("table {} has no replica identity by an index", name));
  }
  std::vector<std::string> keys;
  for (const std::string& key : table.key_columns) {
    if (std::count(moved.identity.begin(), moved.identity.end(), key) == 0) {
      return NoIdentity(
          fmt::format("the replica identity of table {} does not contain the key column {}", name,
                      QuoteIdentifier(key)));
    }
    keys.push_back(QuoteIdentifier(key));
  }
  auto odd = source.Query(kOddPartitionSql, {{name}});
  if (!odd.ok()) return odd.status();
  if (odd->rows() > 0) {
    return NoIdentity(fmt::format("partition {} of table {} has a replica identity of its own",
                                  odd->Text(0, 0), name));
  }
  moved.condition = RangeSql(distribution, range, keys);
  return moved;
}

}  // namespace meridian
