#include "sharding/key_modifier.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

bool Kept(KeyType type, int32_t modifier, std::string_view text) {
  return KeptByModifier(type, modifier, *ParseKeyText(type, text));
}

constexpr int32_t VarChar(int32_t length) { return length + 4; }
constexpr int32_t Numeric(int32_t precision, int32_t scale) {
  return ((precision << 16) | (scale & 0x7ff)) + 4;
}

TEST(KeyModifier, NoneChangesNothing) {
  EXPECT_TRUE(Kept(KeyType::kText, -1, "a  "));
  EXPECT_TRUE(Kept(KeyType::kNumeric, -1, "0.123"));
  EXPECT_TRUE(Kept(KeyType::kTimestamp, -1, "2024-01-01 00:00:00.5"));
}

TEST(KeyModifier, VarcharCutsBlanksThatDoNotFit) {
  EXPECT_TRUE(Kept(KeyType::kText, VarChar(3), ""));
  EXPECT_TRUE(Kept(KeyType::kText, VarChar(3), "a  "));
  EXPECT_FALSE(Kept(KeyType::kText, VarChar(3), "a   "));
  EXPECT_TRUE(Kept(KeyType::kText, VarChar(3), "abcd"));  // the server refuses it
}

TEST(KeyModifier, TimesAreRoundedToTheirPrecision) {
  EXPECT_TRUE(Kept(KeyType::kTimestamp, 0, "2024-01-01 00:00:01"));
  EXPECT_FALSE(Kept(KeyType::kTimestamp, 0, "2024-01-01 00:00:00.5"));
  EXPECT_TRUE(Kept(KeyType::kTimestamptz, 1, "2024-01-01 00:00:00.5+00"));
  EXPECT_FALSE(Kept(KeyType::kTimestamptz, 3, "1999-01-01 00:00:00.0001+00"));
  EXPECT_TRUE(Kept(KeyType::kTimestamp, 6, "2024-01-01 00:00:00.000001"));
}

TEST(KeyModifier, NumbersAreRoundedToTheirScale) {
  EXPECT_TRUE(Kept(KeyType::kNumeric, Numeric(8, 2), "0"));
  EXPECT_TRUE(Kept(KeyType::kNumeric, Numeric(8, 2), "1200"));
  EXPECT_TRUE(Kept(KeyType::kNumeric, Numeric(8, 2), "12.5000"));
  EXPECT_TRUE(Kept(KeyType::kNumeric, Numeric(8, 2), "0.05"));
  EXPECT_FALSE(Kept(KeyType::kNumeric, Numeric(8, 2), "0.005"));
  EXPECT_FALSE(Kept(KeyType::kNumeric, Numeric(8, 0), "0.5"));
  EXPECT_TRUE(Kept(KeyType::kNumeric, Numeric(8, -2), "1200"));
  EXPECT_FALSE(Kept(KeyType::kNumeric, Numeric(8, -2), "1250"));
  EXPECT_TRUE(Kept(KeyType::kNumeric, Numeric(8, 2), "NaN"));
}

}  // namespace
}  // namespace meridian
