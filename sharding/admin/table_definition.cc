#include "sharding/admin/table_definition.h"

#include <algorithm>
#include <charconv>

#include "sharding/catalog/text_array.h"

namespace meridian {
namespace {

constexpr char kRelationSql[] = R"(
SELECT c.oid, c.relkind, c.relpersistence, c.relispartition,
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid),
       (SELECT pg_catalog.pg_encoding_to_char(d.encoding) FROM pg_catalog.pg_database d
        WHERE d.datname = pg_catalog.current_database())
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2)";

// datlocprovider is read through jsonb because servers before PostgreSQL 15 do not have it.
// Provider "b" (built in, PostgreSQL 17) compares by bytes whatever its locale is.
constexpr char kColumnsSql[] = R"(
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid, a.attnotnull,
       CASE WHEN l.oid IS NULL THEN ''
            WHEN l.collprovider = 'd' THEN 'database: ' || d.datcollate
            ELSE n.nspname || '.' || l.collname END,
       coalesce(l.collisdeterministic, true),
       coalesce(CASE l.collprovider
         WHEN 'c' THEN l.collcollate IN ('C', 'POSIX')
         WHEN 'b' THEN true
         WHEN 'd' THEN CASE coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c')
                         WHEN 'c' THEN d.datcollate IN ('C', 'POSIX')
                         WHEN 'b' THEN true END
       END, false),
       a.attgenerated <> ''
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum)";

constexpr char kUniquesSql[] = R"(
SELECT c.relname, ARRAY(
  SELECT coalesce(a.attname, '')::pg_catalog.text
  FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(attnum, place)
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  WHERE k.place <= i.indnkeyatts ORDER BY k.place)
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = $1::pg_catalog.oid AND (i.indisunique OR i.indisexclusion)
ORDER BY c.relname)";

constexpr char kForeignKeysSql[] = R"(
SELECT k.conname, n.nspname, c.relname,
  ARRAY(SELECT a.attname::pg_catalog.text
        FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(attnum, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
        ORDER BY u.place),
  ARRAY(SELECT a.attname::pg_catalog.text
        FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(attnum, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
        ORDER BY u.place)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.conrelid = $1::pg_catalog.oid AND k.contype = 'f' AND k.conparentid = 0
ORDER BY k.conname)";

uint32_t Oid(const std::string& text) {
  uint32_t oid = 0;
  std::from_chars(text.data(), text.data() + text.size(), oid);
  return oid;
}

// NULL array elements do not occur in these queries. A name with odd characters comes quoted.
std::vector<std::string> Names(const PgResult& result, size_t row, size_t column) {
  return ParseTextArray(result.Text(row, column)).value_or(std::vector<std::string>{});
}

absl::Status ReadColumns(PgConnection& connection, TableDefinition& table) {
  auto rows = connection.Query(kColumnsSql, {{std::to_string(table.oid)}});
  if (!rows.ok()) return rows.status();
  for (size_t r = 0; r < rows->rows(); ++r) {
    table.columns.push_back({rows->Text(r, 0), rows->Text(r, 1), Oid(rows->Text(r, 2)),
                             rows->Text(r, 3) == "t", rows->Text(r, 4), rows->Text(r, 5) == "t",
                             rows->Text(r, 6) == "t", rows->Text(r, 7) == "t"});
  }
  return absl::OkStatus();
}

absl::Status ReadConstraints(PgConnection& connection, TableDefinition& table) {
  const PgParameter oid = std::to_string(table.oid);
  auto uniques = connection.Query(kUniquesSql, {{oid}});
  if (!uniques.ok()) return uniques.status();
  for (size_t r = 0; r < uniques->rows(); ++r) {
    table.uniques.push_back({uniques->Text(r, 0), Names(*uniques, r, 1)});
  }
  auto keys = connection.Query(kForeignKeysSql, {{oid}});
  if (!keys.ok()) return keys.status();
  for (size_t r = 0; r < keys->rows(); ++r) {
    table.foreign_keys.push_back({keys->Text(r, 0),
                                  {keys->Text(r, 1), keys->Text(r, 2)},
                                  Names(*keys, r, 3),
                                  Names(*keys, r, 4)});
  }
  return absl::OkStatus();
}

}  // namespace

const ColumnDefinition* TableDefinition::FindColumn(std::string_view name) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const ColumnDefinition& c) { return c.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

absl::StatusOr<std::optional<TableDefinition>> ReadTableDefinition(PgConnection& connection,
                                                                   const TableName& table) {
  auto relation = connection.Query(kRelationSql, {{table.schema}, {table.name}});
  if (!relation.ok()) return relation.status();
  if (relation->rows() == 0) return std::nullopt;
  TableDefinition definition;
  definition.oid = Oid(relation->Text(0, 0));
  definition.kind = relation->Text(0, 1)[0];
  definition.persistence = relation->Text(0, 2)[0];
  definition.is_partition = relation->Text(0, 3) == "t";
  definition.has_children = relation->Text(0, 4) == "t";
  definition.encoding = relation->Text(0, 5);
  if (absl::Status read = ReadColumns(connection, definition); !read.ok()) return read;
  if (absl::Status read = ReadConstraints(connection, definition); !read.ok()) return read;
  return definition;
}

}  // namespace meridian
