// Names, binary format and order of keys.
#include "sharding/key_value.h"

#include <gtest/gtest.h>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

TEST(KeyType, Names) {
  EXPECT_EQ(KeyTypeByName("int8"), KeyType::kBigint);
  EXPECT_EQ(KeyTypeByName(" Character\t Varying "), KeyType::kText);
  EXPECT_EQ(KeyTypeByName("TIMESTAMP WITH TIME ZONE"), KeyType::kTimestamptz);
  EXPECT_EQ(KeyTypeByName("decimal"), KeyType::kNumeric);
  EXPECT_EQ(KeyTypeName(KeyType::kBigint), "bigint");
  for (const char* name : {"", " ", "float8", "int 8", "varchar(10)", "big", "bpchar", "char"}) {
    EXPECT_EQ(KeyTypeByName(name), std::nullopt) << name;
  }
}

TEST(KeyType, NamesRoundTrip) {
  for (int i = 0; i <= static_cast<int>(KeyType::kNumeric); ++i) {
    const auto type = static_cast<KeyType>(i);
    EXPECT_EQ(KeyTypeByName(KeyTypeName(type)), type);
    EXPECT_EQ(IsHashable(type), type != KeyType::kNumeric);
  }
}

TEST(KeyType, Oids) {
  EXPECT_EQ(KeyTypeByOid(20), KeyType::kBigint);
  EXPECT_EQ(KeyTypeByOid(1043), KeyType::kText);
  EXPECT_EQ(KeyTypeByOid(0), std::nullopt);
  EXPECT_EQ(KeyTypeByOid(1042), std::nullopt);
}

TEST(KeyValue, TextIsOrderedByBytes) {
  const auto text = [](const char* bytes) { return KeyValue(std::string(bytes)); };
  EXPECT_LT(Compare(text("Z"), text("a")), 0);
  EXPECT_LT(Compare(text("z"), text("é")), 0);
  EXPECT_LT(Compare(text("a"), text("aa")), 0);
  EXPECT_LT(Compare(text(""), text("a")), 0);
  EXPECT_EQ(Compare(text("a"), text("a")), 0);
}

using namespace std::string_view_literals;

TEST(ParseKeyBinary, ReadsNetworkByteOrder) {
  EXPECT_EQ(*ParseKeyBinary(KeyType::kSmallint, "\xFF\xFE"), KeyValue(int64_t{-2}));
  EXPECT_EQ(*ParseKeyBinary(KeyType::kInteger, "\0\0\x01\x02"sv), KeyValue(int64_t{258}));
  EXPECT_EQ(*ParseKeyBinary(KeyType::kBigint, "\x80\0\0\0\0\0\0\0"sv), KeyValue(INT64_MIN));
  EXPECT_EQ(*ParseKeyBinary(KeyType::kDate, "\x7F\xFF\xFF\xFF"), KeyValue(int64_t{INT32_MAX}));
  EXPECT_EQ(*ParseKeyBinary(KeyType::kText, "aé"), KeyValue("aé"));
  EXPECT_EQ(*ParseKeyBinary(KeyType::kBytea, "\0\xFF"sv), KeyValue(std::string("\0\xFF", 2)));
}

std::string Error(KeyType type, std::string_view bytes) {
  const auto value = ParseKeyBinary(type, bytes);
  if (value.ok()) return "";
  if (value.status().code() == absl::StatusCode::kUnimplemented) return "unknown";
  return ToSqlError(value.status()).sqlstate;
}

TEST(ParseKeyBinary, RefusesBadBytes) {
  EXPECT_EQ(Error(KeyType::kSmallint, "\x01"), "22P03");
  EXPECT_EQ(Error(KeyType::kInteger, ""), "22P03");
  EXPECT_EQ(Error(KeyType::kInteger, "12345"), "22P03");
  EXPECT_EQ(Error(KeyType::kBigint, "1234"), "22P03");
  EXPECT_EQ(Error(KeyType::kUuid, "123456789012345"), "22P03");
  EXPECT_EQ(Error(KeyType::kDate, "\x7F\xFF\xFF\xFE"), "22008");
  EXPECT_EQ(Error(KeyType::kTimestamp, "\x80\0\0\0\0\0\0\x01"sv), "22008");
  EXPECT_EQ(Error(KeyType::kTimestamptz, "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFE"), "22008");
  EXPECT_EQ(Error(KeyType::kText, "\xFF"), "unknown");
  EXPECT_EQ(Error(KeyType::kText, "a\0"sv), "unknown");
}

}  // namespace
}  // namespace meridian
