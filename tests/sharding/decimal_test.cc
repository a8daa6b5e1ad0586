#include "sharding/decimal.h"

#include <gtest/gtest.h>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

std::string Read(std::string_view text) {
  const absl::StatusOr<Decimal> value = ParseDecimalText(text);
  if (value.ok()) return FormatDecimal(*value);
  if (value.status().code() == absl::StatusCode::kUnimplemented) return "unknown";
  return ToSqlError(value.status()).sqlstate;
}

TEST(Decimal, IsCanonical) {
  const Decimal expected{.exponent = 2, .digits = "125"};
  for (const char* text : {"12.5", " +0012.500 ", "125e-1", "1.25E+1", ".125e2", "12.5e0"}) {
    EXPECT_EQ(*ParseDecimalText(text), expected) << text;
  }
  for (const char* text : {"0", "-0", "0.000", ".0", "0e5", "0e200000"}) {
    EXPECT_EQ(*ParseDecimalText(text), Decimal{}) << text;
  }
}

TEST(Decimal, Prints) {
  EXPECT_EQ(Read("-1.50"), "-1.5");
  EXPECT_EQ(Read("1e3"), "1000");
  EXPECT_EQ(Read("-1e-3"), "-0.001");
  EXPECT_EQ(Read("-0"), "0");
  EXPECT_EQ(Read("nan"), "NaN");
  EXPECT_EQ(Read("+INF"), "Infinity");
  EXPECT_EQ(Read("-infinity"), "-Infinity");
}

TEST(Decimal, BadText) {
  for (const char* text : {"", " ", ".", "-", "1..2", "1.2.3", "e5", "1e", "1e+", "1 2", "+nan",
                           "-NaN", "infinit", "1,5", "--1", "x"}) {
    EXPECT_EQ(Read(text), "22P02") << text;
  }
}

TEST(Decimal, Limits) {
  EXPECT_EQ(Read("1e131071").size(), 131072u);
  EXPECT_EQ(Read("1e131072"), "22003");
  EXPECT_EQ(Read("1e-16383").size(), 16385u);
  EXPECT_EQ(Read("1e-16384"), "22003");
  EXPECT_EQ(Read("0e-16384"), "22003");
  EXPECT_EQ(Read("1e1073741823"), "22003");
  EXPECT_EQ(Read("1e-99999999999999999999"), "22003");
}

TEST(Decimal, DependsOnTheVersion) {
  for (const char* text : {"0x1F", "-0b1", "0O7", "1_000", "1e 5"}) {
    EXPECT_EQ(Read(text), "unknown") << text;
  }
}

TEST(Decimal, IsOrdered) {
  const char* const ascending[] = {"-inf",    "-1e100", "-10.5", "-10", "-1",   "-0.1",
                                   "-1e-100", "0",      "1e-9",  "0.1", "0.11", "0.12",
                                   "1",       "9",      "10",    "inf", "nan"};
  for (size_t i = 0; i < std::size(ascending); ++i) {
    for (size_t j = 0; j < std::size(ascending); ++j) {
      const int order = Compare(*ParseDecimalText(ascending[i]), *ParseDecimalText(ascending[j]));
      EXPECT_EQ(order < 0, i < j) << ascending[i] << " " << ascending[j];
      EXPECT_EQ(order == 0, i == j) << ascending[i] << " " << ascending[j];
    }
  }
}

std::string Binary(std::initializer_list<int> words) {
  std::string bytes;
  for (const int word : words) {
    bytes += static_cast<char>(word >> 8);
    bytes += static_cast<char>(word);
  }
  return bytes;
}

TEST(Decimal, ReadsBinary) {
  EXPECT_EQ(*ParseDecimalBinary(Binary({2, 0, 0, 1, 12, 5000})), *ParseDecimalText("12.5"));
  EXPECT_EQ(*ParseDecimalBinary(Binary({1, 1, 0x4000, 0, 3})), *ParseDecimalText("-30000"));
  EXPECT_EQ(*ParseDecimalBinary(Binary({0, 0, 0, 0})), Decimal{});
  EXPECT_EQ(*ParseDecimalBinary(Binary({0, 0, 0xC000, 0})), *ParseDecimalText("NaN"));
  EXPECT_EQ(*ParseDecimalBinary(Binary({0, 0, 0xD000, 0})), *ParseDecimalText("inf"));
  EXPECT_EQ(*ParseDecimalBinary(Binary({0, 0, 0xF000, 0})), *ParseDecimalText("-inf"));
  // Digits that the display scale hides do not count.
  EXPECT_EQ(*ParseDecimalBinary(Binary({2, 0, 0, 0, 12, 5000})), *ParseDecimalText("12"));
  EXPECT_EQ(*ParseDecimalBinary(Binary({1, -5, 0x4000, 4, 1})), Decimal{});
}

TEST(Decimal, BadBinary) {
  for (const std::string& bytes :
       {std::string(), std::string(7, '\0'), Binary({1, 0, 0, 0}), Binary({0, 0, 0, 0, 1}),
        Binary({0xFFFF, 0, 0, 0}), Binary({0, 0, 0x1000, 0}), Binary({1, 0, 0, 0, 10000}),
        Binary({1, 0, 0, 0, -1}), Binary({0, 0, 0, 0x4000}), Binary({0, 0, 0, 0}) + "x"}) {
    const auto value = ParseDecimalBinary(bytes);
    ASSERT_FALSE(value.ok());
    EXPECT_EQ(ToSqlError(value.status()).sqlstate, "22P03");
  }
}

}  // namespace
}  // namespace meridian
