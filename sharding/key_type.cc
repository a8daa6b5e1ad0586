#include <algorithm>

#include "sharding/ascii.h"
#include "sharding/key_value.h"

namespace meridian {
namespace {

struct TypeName {
  std::string_view name;
  KeyType type;
};

// The first name of a type is the one that KeyTypeName gives.
constexpr TypeName kNames[] = {
    {"smallint", KeyType::kSmallint},
    {"int2", KeyType::kSmallint},
    {"integer", KeyType::kInteger},
    {"int", KeyType::kInteger},
    {"int4", KeyType::kInteger},
    {"bigint", KeyType::kBigint},
    {"int8", KeyType::kBigint},
    {"text", KeyType::kText},
    {"varchar", KeyType::kText},
    {"character varying", KeyType::kText},
    {"char varying", KeyType::kText},
    {"uuid", KeyType::kUuid},
    {"date", KeyType::kDate},
    {"timestamp without time zone", KeyType::kTimestamp},
    {"timestamp", KeyType::kTimestamp},
    {"timestamp with time zone", KeyType::kTimestamptz},
    {"timestamptz", KeyType::kTimestamptz},
    {"bytea", KeyType::kBytea},
    {"numeric", KeyType::kNumeric},
    {"decimal", KeyType::kNumeric},
    {"dec", KeyType::kNumeric},
};

struct TypeOid {
  uint32_t oid;
  KeyType type;
};

constexpr TypeOid kOids[] = {
    {21, KeyType::kSmallint}, {23, KeyType::kInteger},     {20, KeyType::kBigint},
    {25, KeyType::kText},     {1043, KeyType::kText},      {2950, KeyType::kUuid},
    {1082, KeyType::kDate},   {1114, KeyType::kTimestamp}, {1184, KeyType::kTimestamptz},
    {17, KeyType::kBytea},    {1700, KeyType::kNumeric},
};

// One space for each run of white space, as the SQL lexer sees the words.
std::string Folded(std::string_view name) {
  std::string folded;
  for (const char c : StripSpace(name)) {
    if (!IsAsciiSpace(c)) {
      folded += c;
    } else if (folded.back() != ' ') {
      folded += ' ';
    }
  }
  return folded;
}

}  // namespace

std::string_view KeyTypeName(KeyType type) {
  return std::find_if(std::begin(kNames), std::end(kNames),
                      [type](const TypeName& entry) { return entry.type == type; })
      ->name;
}

std::optional<KeyType> KeyTypeByName(std::string_view name) {
  const std::string folded = Folded(name);
  for (const TypeName& entry : kNames) {
    if (EqualsIgnoreCase(folded, entry.name)) return entry.type;
  }
  return std::nullopt;
}

std::optional<KeyType> KeyTypeByOid(uint32_t oid) {
  for (const TypeOid& entry : kOids) {
    if (entry.oid == oid) return entry.type;
  }
  return std::nullopt;
}

bool IsIntegerType(KeyType type) {
  return type == KeyType::kSmallint || type == KeyType::kInteger || type == KeyType::kBigint;
}

bool IsHashable(KeyType type) { return type != KeyType::kNumeric; }

}  // namespace meridian
