// Keys and points of the key space, for ISOLATE KEY.
#include "sharding/admin/bound_text.h"

#include <gtest/gtest.h>

#include <limits>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

KeyBound Point(KeyValue value) { return KeyBound{{std::move(value)}}; }

std::string Next(KeyColumn column, KeyValue value) {
  const auto next = NextPoint({&column, 1}, Point(std::move(value)));
  if (!next.ok()) return ToSqlError(next.status()).sqlstate;
  return FormatKey(column.space_type(), next->values.back());
}

TEST(BoundText, TheNextPoint) {
  EXPECT_EQ(Next({KeyType::kBigint, false}, int64_t{41}), "42");
  EXPECT_EQ(Next({KeyType::kText, true}, int64_t{-1}), "0");  // a hash
  EXPECT_EQ(Next({KeyType::kDate, false}, int64_t{0}), "2000-01-02");
  EXPECT_EQ(Next({KeyType::kText, false}, std::string("a")), std::string("a\1"));
  EXPECT_EQ(Next({KeyType::kBytea, false}, std::string("a")), "\\x6100");
  const auto next_uuid = [](std::string_view text) {
    return Next({KeyType::kUuid, false}, *ParseKeyText(KeyType::kUuid, text));
  };
  EXPECT_EQ(next_uuid("0001ffff-ffff-ffff-ffff-ffffffffffff"),
            "00020000-0000-0000-0000-000000000000");
  EXPECT_EQ(next_uuid("ffffffff-ffff-ffff-ffff-ffffffffffff"), "0A000");
  EXPECT_EQ(Next({KeyType::kBigint, false}, std::numeric_limits<int64_t>::max()), "0A000");
  EXPECT_EQ(Next({KeyType::kNumeric, false}, *ParseKeyText(KeyType::kNumeric, "1.5")), "0A000");
}

TEST(BoundText, AKeyIsAPoint) {
  const auto distribution = *Distribution::Build(
      "d", {{KeyType::kText, true}, {KeyType::kInteger, false}}, {{"all", {}, ShardIndex{0}}});
  const auto resolve = [&](const std::vector<BoundLiteral>& values) {
    return ResolveKey(distribution, values);
  };
  const auto point = resolve({{"t7", true, 1}, {"5", false, 2}});
  ASSERT_TRUE(point.ok()) << point.status();
  EXPECT_EQ(point->values[0], KeyValue(HashKey(KeyType::kText, std::string("t7"))));
  EXPECT_EQ(point->values[1], KeyValue(int64_t{5}));
  EXPECT_EQ(ToSqlError(resolve({{"t7", true, 1}}).status()).sqlstate, "42601");
  EXPECT_EQ(ToSqlError(resolve({{"t7", true, 1}, {"x", true, 2}}).status()).sqlstate, "22P02");
  EXPECT_EQ(ToSqlError(resolve({{"7", false, 1}, {"5", false, 2}}).status()).sqlstate, "42804");
}

}  // namespace
}  // namespace meridian
