// The value of one distribution key column, in a form that compares and hashes as PostgreSQL does.
//
// Pure; any thread. Functions that read a value accept exactly what they can reproduce bit for bit;
// anything else (a date in a style that is not ISO, text that is not UTF-8) is kUnimplemented: the
// caller must then treat the value as unknown, never guess. Texts are UTF-8: the caller converts,
// or does not ask. A type modifier (varchar(10), numeric(8,2), timestamp(0)) changes values on
// their way into a column; nothing here knows of it. NULL is never a key: it has no KeyValue and no
// hash.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "sharding/decimal.h"

namespace meridian {

// The types that a distribution key column may have.
enum class KeyType : uint8_t {
  kSmallint,
  kInteger,
  kBigint,
  kText,  // text and varchar
  kUuid,
  kDate,
  kTimestamp,
  kTimestamptz,
  kBytea,
  kNumeric,  // range distributions only
};

// PostgreSQL's type name ("bigint"), as in the catalog and in admin SQL.
std::string_view KeyTypeName(KeyType type);
// By any of PostgreSQL's names for it ("int8", "character varying", ...; case-insensitive), or
// nullopt.
std::optional<KeyType> KeyTypeByName(std::string_view name);
// By the type's OID (PostgreSQL: src/include/catalog/pg_type.dat), or nullopt.
std::optional<KeyType> KeyTypeByOid(uint32_t oid);
bool IsIntegerType(KeyType type);
// Whether PostgreSQL's hash of this type is one that Meridian computes (all but numeric).
bool IsHashable(KeyType type);

// Integers, and the numbers behind date (days since 2000-01-01) and timestamps (microseconds since
// 2000-01-01 00:00 UTC, with PostgreSQL's infinities) are int64_t; text, uuid (16 bytes) and bytea
// are their bytes.
using KeyValue = std::variant<int64_t, std::string, Decimal>;

// <0, 0, >0: the order of PostgreSQL's btree operator class; text by bytes (COLLATE "C").
// Precondition: both hold the same alternative.
int Compare(const KeyValue& a, const KeyValue& b);

// As the type's input function reads `text` (surrounding white space and all). Errors: PostgreSQL's
// (22P02, 22003, 22007, ...) where the server would refuse the text; kUnimplemented where only the
// server can tell (DateStyle, TimeZone).
absl::StatusOr<KeyValue> ParseKeyText(KeyType type, std::string_view text);
// As the type's receive function reads `bytes` (network byte order). 22P03 when the length is
// wrong.
absl::StatusOr<KeyValue> ParseKeyBinary(KeyType type, std::string_view bytes);
// As PostgreSQL would print it (ISO, UTC): the form kept in the catalog and shown to operators.
// ParseKeyText reads it back.
std::string FormatKey(KeyType type, const KeyValue& value);

// The seed of every hash below: HASH_PARTITION_SEED (PostgreSQL: src/include/catalog/partition.h),
// so that hash ranges and PostgreSQL's own hash partitioning agree about equal keys.
inline constexpr uint64_t kHashSeed = 0x7A5B22367996DCFD;

// PostgreSQL's extended hash of the value (hashint8extended, hashtextextended, uuid_hash_extended,
// timestamp_hash_extended, ...) with kHashSeed. Precondition: IsHashable(type).
int64_t HashKey(KeyType type, const KeyValue& value);
// The same as an SQL expression of built-in functions over `column_sql`, an expression of this type
// (of any integer type for an integer type), for use on a shard (PostgreSQL 14 or later):
// immutable, independent of search_path and collation, allowed in an index and in a publication's
// row filter. NULL where the column is NULL.
std::string HashSql(KeyType type, std::string_view column_sql);

}  // namespace meridian
