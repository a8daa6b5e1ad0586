#include <fmt/format.h>

#include "sharding/key_value.h"
#include "sharding/pg_hash.h"

namespace meridian {

// Which function hashes which type: pg_amproc, support function 2 of the hash operator classes.
int64_t HashKey(KeyType, const KeyValue& value) {
  const auto* number = std::get_if<int64_t>(&value);
  return static_cast<int64_t>(number != nullptr
                                  ? HashInt64Extended(*number, kHashSeed)
                                  : HashBytesExtended(std::get<std::string>(value), kHashSeed));
}

std::string HashSql(KeyType type, std::string_view column_sql) {
  switch (type) {
    case KeyType::kSmallint:
    case KeyType::kInteger:
    case KeyType::kBigint:
      return fmt::format("pg_catalog.hashint8extended(({})::pg_catalog.int8, {})", column_sql,
                         kHashSeed);
    case KeyType::kText:
      // With "C" the hash is of the bytes, whatever the column's collation.
      return fmt::format(
          "pg_catalog.hashtextextended(({})::pg_catalog.text COLLATE pg_catalog.\"C\", {})",
          column_sql, kHashSeed);
    case KeyType::kUuid:
      return fmt::format("pg_catalog.uuid_hash_extended(({})::pg_catalog.uuid, {})", column_sql,
                         kHashSeed);
    case KeyType::kTimestamp:
      return fmt::format("pg_catalog.timestamp_hash_extended(({})::pg_catalog.timestamp, {})",
                         column_sql, kHashSeed);
    case KeyType::kDate:
    case KeyType::kTimestamptz:
    case KeyType::kBytea:
      // Not every version has a hash function of their own that SQL can call (hashvarlenaextended
      // takes `internal`), but the hash of a row of one column is that column's hash; 0 for NULL,
      // hence the CASE.
      return fmt::format(
          "CASE WHEN ({0}) IS NOT NULL THEN "
          "pg_catalog.hash_record_extended(ROW(({0})::pg_catalog.{1}), {2}) END",
          column_sql, type == KeyType::kTimestamptz ? "timestamptz" : KeyTypeName(type), kHashSeed);
    case KeyType::kNumeric:
      break;  // not hashable
  }
  return {};
}

}  // namespace meridian
