#include <gtest/gtest.h>

#include "sharding/key_value.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// The value's printed form, "unknown", or the SQLSTATE.
std::string Read(KeyType type, std::string_view text) {
  const absl::StatusOr<KeyValue> value = ParseKeyText(type, text);
  if (value.ok()) return FormatKey(type, *value);
  if (value.status().code() == absl::StatusCode::kUnimplemented) return "unknown";
  return ToSqlError(value.status()).sqlstate;
}

TEST(ParseKeyText, Integers) {
  EXPECT_EQ(Read(KeyType::kInteger, " \t+42\n"), "42");
  EXPECT_EQ(Read(KeyType::kInteger, "-2147483648"), "-2147483648");
  EXPECT_EQ(Read(KeyType::kBigint, "9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(Read(KeyType::kBigint, "-9223372036854775808"), "-9223372036854775808");
}

TEST(ParseKeyText, IntegersOutOfRange) {
  EXPECT_EQ(Read(KeyType::kSmallint, "32768"), "22003");
  EXPECT_EQ(Read(KeyType::kSmallint, "-32769"), "22003");
  EXPECT_EQ(Read(KeyType::kInteger, "2147483648"), "22003");
  EXPECT_EQ(Read(KeyType::kBigint, "9223372036854775808"), "22003");
  EXPECT_EQ(Read(KeyType::kBigint, "-9223372036854775809"), "22003");
  EXPECT_EQ(Read(KeyType::kBigint, std::string(10'000, '9')), "22003");
}

TEST(ParseKeyText, BadIntegers) {
  for (const char* text :
       {"", " ", "+", "-", "--1", "+-1", "1 2", "1.0", "1e3", "x", "1x", "- 1"}) {
    EXPECT_EQ(Read(KeyType::kInteger, text), "22P02") << text;
  }
}

TEST(ParseKeyText, IntegersThatDependOnTheVersion) {
  for (const char* text : {"0x10", "-0X1f", "0o17", "0b1", "1_000", "99999999999x"}) {
    EXPECT_EQ(Read(KeyType::kInteger, text), "unknown") << text;
  }
}

TEST(ParseKeyText, RefusesToGuessAtBytesThatAreNotAscii) {
  EXPECT_EQ(Read(KeyType::kInteger,
                 "\xA0"
                 "1"),
            "unknown");
  EXPECT_EQ(Read(KeyType::kInteger, std::string_view("1\0", 2)), "unknown");
  EXPECT_EQ(Read(KeyType::kUuid, "é"), "unknown");
  EXPECT_EQ(Read(KeyType::kBytea, "é"), "unknown");
}

TEST(ParseKeyText, Text) {
  EXPECT_EQ(Read(KeyType::kText, ""), "");
  EXPECT_EQ(Read(KeyType::kText, "  a€😀 "), "  a€😀 ");
  EXPECT_EQ(Read(KeyType::kText, "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"),
            "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF");
}

TEST(ParseKeyText, TextThatIsNotUtf8) {
  const std::string_view bad[] = {std::string_view("a\0b", 3),
                                  "\x80",
                                  "\xC1\xBF",
                                  "\xC3",
                                  "\xC3(",
                                  "\xE0\x9F\xBF",
                                  "\xED\xA0\x80",
                                  "\xE2\x82",
                                  "\xF0\x8F\xBF\xBF",
                                  "\xF4\x90\x80\x80",
                                  "\xF5\x80\x80\x80",
                                  "\xF0\x9F\x98",
                                  "\xFF",
                                  "ok\xFE"};
  for (const std::string_view text : bad) EXPECT_EQ(Read(KeyType::kText, text), "unknown") << text;
}

TEST(ParseKeyText, Uuid) {
  const std::string canonical = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  for (const char* text :
       {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC999C0B4EF8BB6D6BB9BD380A11",
        "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}", "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11"}) {
    EXPECT_EQ(Read(KeyType::kUuid, text), canonical) << text;
  }
  for (const char* text :
       {"", "{", "{}", "a0eebc99", "a0eebc999c0b4ef8bb6d6bb9bd380a1",
        " a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11 ",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11-", "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11}", "a0-eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a1g", "a0ee--bc999c0b4ef8bb6d6bb9bd380a11"}) {
    EXPECT_EQ(Read(KeyType::kUuid, text), "22P02") << text;
  }
}

TEST(ParseKeyText, Bytea) {
  EXPECT_EQ(Read(KeyType::kBytea, ""), "\\x");
  EXPECT_EQ(Read(KeyType::kBytea, "\\x"), "\\x");
  EXPECT_EQ(Read(KeyType::kBytea, "\\x00fF 10\n"), "\\x00ff10");
  EXPECT_EQ(Read(KeyType::kBytea, "a\\\\\\000\\377"), "\\x615c00ff");
  for (const char* text : {"\\", "\\1", "\\400", "\\08", "a\\X00"}) {
    EXPECT_EQ(Read(KeyType::kBytea, text), "22P02") << text;
  }
  for (const char* text : {"\\x0", "\\xg0", "\\x0g", "\\x0 1"}) {
    EXPECT_EQ(Read(KeyType::kBytea, text), "22023") << text;
  }
}

TEST(ParseKeyText, ErrorsQuoteABoundedPartOfTheInput) {
  const auto value = ParseKeyText(KeyType::kInteger, std::string(1'000'000, 'x'));
  EXPECT_LT(value.status().message().size(), 300u);
}

}  // namespace
}  // namespace meridian
