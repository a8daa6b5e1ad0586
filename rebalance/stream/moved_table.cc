#include "rebalance/stream/moved_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/range_sql.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Of the table, and whether it is one of the columns of the replica identity's index, or, where
// that is FULL, of the primary key.
constexpr char kColumnsSql[] = R"(
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attgenerated = '',
       a.attidentity = 'a',
       coalesce(a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]), false)
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indimmediate AND i.indisvalid
  AND CASE WHEN c.relreplident = 'i' AND c.relkind <> 'p' THEN i.indisreplident ELSE i.indisprimary END
WHERE c.oid = $1::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum)";

// A table that has FULL because of another move may lose it when that ends.
// What a partition logs is by its own identity. `$2`: there is such an index, which partitions have
// where it is the primary key.
constexpr char kPoorSql[] = R"(
SELECT t.relid::pg_catalog.regclass
FROM (SELECT $1::pg_catalog.regclass AS relid, 0 AS level UNION
      SELECT relid, level FROM pg_catalog.pg_partition_tree($1::pg_catalog.regclass)) t
JOIN pg_catalog.pg_class c ON c.oid = t.relid
LEFT JOIN meridian.replica_identities r ON r.relation = c.oid
WHERE c.relkind = 'r' AND NOT (c.relreplident = 'f' AND r.relation IS NULL
  OR $2::pg_catalog.bool AND (c.relreplident = 'd' OR c.relreplident = 'i' AND t.level = 0))
LIMIT 1)";

absl::Status NoIdentity(const std::string& table) {
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                   fmt::format("the replica identity of table {} does not tell rows apart, or "
                               "lacks the distribution key",
                               table),
                   "Give the table a primary key that contains the distribution key; or MOVE ... "
                   "WITH (replica_identity full), which looks for each changed row by all of its "
                   "columns.");
}

}  // namespace

absl::StatusOr<MovedTable> ReadMovedTable(PgConnection& source, const MappedTable& table,
                                          const Distribution& distribution, size_t range,
                                          bool full_identity) {
  MovedTable moved;
  moved.name = table.name;
  moved.keys = table.key_columns;
  const std::string name = table.name.ToString();
  auto columns = source.Query(kColumnsSql, {{name}});
  if (!columns.ok()) return columns.status();
  for (size_t r = 0; r < columns->rows(); ++r) {
    const std::string column = columns->Text(r, 0);
    if (columns->Text(r, 2) == "t") {
      moved.columns.push_back(column);
      moved.types.push_back(columns->Text(r, 1));
      if (columns->Text(r, 3) == "f") moved.settable.push_back(column);
    }
    if (columns->Text(r, 4) == "t") moved.identity.push_back(column);
  }
  std::vector<std::string> keys;
  for (const std::string& key : table.key_columns) keys.push_back(QuoteIdentifier(key));
  const bool by_index =
      std::all_of(table.key_columns.begin(), table.key_columns.end(), [&](const auto& key) {
        return std::count(moved.identity.begin(), moved.identity.end(), key) > 0;
      });
  auto poor = source.Query(kPoorSql, {{name}, {by_index ? "true" : "false"}});
  if (!poor.ok()) return poor.status();
  moved.needs_full_identity = poor->rows() > 0;
  if (moved.needs_full_identity && !full_identity) {
    return NoIdentity(poor->Text(0, 0));
  }
  moved.by_whole_row = !by_index;
  if (moved.by_whole_row) moved.identity = moved.columns;
  moved.condition = RangeSql(distribution, range, keys);
  return moved;
}

}  // namespace meridian
