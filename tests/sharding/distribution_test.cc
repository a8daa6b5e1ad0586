#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "sharding/shard_map.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

KeyValue Number(int64_t number) { return number; }
KeyValue Text(std::string text) { return text; }

constexpr KeyColumn kBigint{.type = KeyType::kBigint};
constexpr KeyColumn kText{.type = KeyType::kText};

// One range per bound, the i-th owned by shard i, named r0, r1...
std::vector<KeyRange> Ranges(const std::vector<KeyTuple>& bounds) {
  std::vector<KeyRange> ranges;
  for (size_t i = 0; i < bounds.size(); ++i) {
    ranges.push_back({.name = "r" + std::to_string(i),
                      .lower = {bounds[i]},
                      .owner = {static_cast<uint16_t>(i)}});
  }
  return ranges;
}

Distribution Make(std::vector<KeyColumn> columns, const std::vector<KeyTuple>& bounds) {
  auto distribution = Distribution::Build("d", std::move(columns), Ranges(bounds));
  EXPECT_TRUE(distribution.ok()) << distribution.status();
  return *std::move(distribution);
}

std::vector<int> Numbers(const ShardSet& set) {
  std::vector<int> numbers;
  set.ForEach([&](ShardIndex shard) { numbers.push_back(shard.value); });
  return numbers;
}

using Owners = std::vector<int>;

IntervalEnd Inclusive(KeyTuple values) { return {.values = std::move(values), .inclusive = true}; }
IntervalEnd Exclusive(KeyTuple values) { return {.values = std::move(values), .inclusive = false}; }

TEST(Distribution, LocatesInOneColumn) {
  const Distribution d = Make({kBigint}, {{}, {Number(0)}, {Number(10)}});
  EXPECT_EQ(d.Locate({Number(INT64_MIN)}).name, "r0");
  EXPECT_EQ(d.Locate({Number(-1)}).name, "r0");
  EXPECT_EQ(d.Locate({Number(0)}).name, "r1");
  EXPECT_EQ(d.Locate({Number(9)}).name, "r1");
  EXPECT_EQ(d.Locate({Number(10)}).name, "r2");
  EXPECT_EQ(d.Locate({Number(INT64_MAX)}).name, "r2");
}

TEST(Distribution, TellsTheLowestKeyFromMinvalue) {
  const Distribution d = Make({kBigint}, {{}, {Number(INT64_MIN)}});
  EXPECT_EQ(d.Locate({Number(INT64_MIN)}).name, "r1");
}

TEST(Distribution, LocatesText) {
  const Distribution d = Make({kText}, {{}, {Text("M")}, {Text("m")}});
  EXPECT_EQ(d.Locate({Text("")}).name, "r0");
  EXPECT_EQ(d.Locate({Text("Z")}).name, "r1");
  EXPECT_EQ(d.Locate({Text("é")}).name, "r2");
}

TEST(Distribution, LocatesCompositeKeys) {
  const Distribution d = Make(
      {kBigint, kText},
      {{}, {Number(1), Text("b")}, {Number(1), Text("d")}, {Number(2)}, {Number(2), Text("a")}});
  EXPECT_EQ(d.Locate({Number(1), Text("a")}).name, "r0");
  EXPECT_EQ(d.Locate({Number(1), Text("b")}).name, "r1");
  EXPECT_EQ(d.Locate({Number(1), Text("zzz")}).name, "r2");
  EXPECT_EQ(d.Locate({Number(2), Text("")}).name, "r3");
  EXPECT_EQ(d.Locate({Number(2), Text("a")}).name, "r4");
  EXPECT_EQ(d.Locate({Number(3), Text("")}).name, "r4");
}

TEST(Distribution, OwnersOfPrefix) {
  const Distribution d =
      Make({kBigint, kText}, {{}, {Number(1), Text("b")}, {Number(1), Text("d")}, {Number(2)}});
  EXPECT_EQ(Numbers(d.OwnersOfPrefix({Number(0)})), (Owners{0}));
  EXPECT_EQ(Numbers(d.OwnersOfPrefix({Number(1)})), (Owners{0, 1, 2}));
  EXPECT_EQ(Numbers(d.OwnersOfPrefix({Number(2)})), (Owners{3}));
  EXPECT_EQ(Numbers(d.OwnersOfPrefix({Number(1), Text("c")})), (Owners{1}));
  EXPECT_EQ(Numbers(d.OwnersOfPrefix({})), (Owners{0, 1, 2, 3}));
}

TEST(Distribution, OwnersOfInterval) {
  const Distribution d = Make({kBigint}, {{}, {Number(0)}, {Number(10)}, {Number(20)}});
  const auto owners = [&d](const std::optional<IntervalEnd>& lower,
                           const std::optional<IntervalEnd>& upper) {
    return Numbers(d.OwnersOfInterval(lower, upper));
  };
  EXPECT_EQ(owners(std::nullopt, std::nullopt), (Owners{0, 1, 2, 3}));
  EXPECT_EQ(owners(Inclusive({Number(10)}), std::nullopt), (Owners{2, 3}));
  EXPECT_EQ(owners(std::nullopt, Exclusive({Number(10)})), (Owners{0, 1}));
  EXPECT_EQ(owners(std::nullopt, Inclusive({Number(10)})), (Owners{0, 1, 2}));
  EXPECT_EQ(owners(Inclusive({Number(5)}), Inclusive({Number(5)})), (Owners{1}));
  EXPECT_EQ(owners(Exclusive({Number(5)}), Exclusive({Number(15)})), (Owners{1, 2}));
  EXPECT_EQ(owners(Inclusive({Number(15)}), Inclusive({Number(5)})), (Owners{}));
}

TEST(Distribution, OwnersOfIntervalByPrefix) {
  const Distribution d =
      Make({kText, kBigint},
           {{}, {Text("a")}, {Text("a"), Number(5)}, {Text("b")}, {Text("b"), Number(5)}});
  EXPECT_EQ(Numbers(d.OwnersOfInterval(Inclusive({Text("a")}), Inclusive({Text("a")}))),
            (Owners{1, 2}));
  EXPECT_EQ(Numbers(d.OwnersOfInterval(Exclusive({Text("a")}), std::nullopt)), (Owners{2, 3, 4}));
  EXPECT_EQ(Numbers(d.OwnersOfInterval(std::nullopt, Exclusive({Text("b")}))), (Owners{0, 1, 2}));
  EXPECT_EQ(Numbers(d.OwnersOfInterval(Inclusive({Text("a"), Number(7)}),
                                       Exclusive({Text("b"), Number(5)}))),
            (Owners{2, 3}));
}

// Against a search through every key of a small key space.
TEST(Distribution, AgreesWithASearchByHand) {
  std::mt19937_64 random(1);
  const auto pick = [&random](int64_t below) { return static_cast<int64_t>(random() % below); };
  for (int round = 0; round < 300; ++round) {
    std::vector<KeyTuple> bounds = {{}};
    for (int64_t i = pick(8); i > 0; --i) {
      KeyTuple bound = {Number(pick(4))};
      if (pick(3) != 0) bound.push_back(Number(pick(4)));
      bounds.push_back(bound);
    }
    std::sort(bounds.begin(), bounds.end(),
              [](const auto& a, const auto& b) { return Compare(a, b) < 0; });
    bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
    const Distribution d = Make({kBigint, kBigint}, bounds);

    const auto end = [&]() -> std::optional<IntervalEnd> {
      if (pick(5) == 0) return std::nullopt;
      KeyTuple values = {Number(pick(4))};
      if (pick(2) == 0) values.push_back(Number(pick(4)));
      return IntervalEnd{.values = values, .inclusive = pick(2) == 0};
    };
    const std::optional<IntervalEnd> lower = end();
    const std::optional<IntervalEnd> upper = end();
    const auto order = [](const KeyTuple& key, const IntervalEnd& end) {
      return Compare(KeyTuple(key.begin(), key.begin() + end.values.size()), end.values);
    };
    ShardSet expected;
    for (int64_t a = 0; a < 4; ++a) {
      for (int64_t b = 0; b < 4; ++b) {
        const KeyTuple key = {Number(a), Number(b)};
        size_t range = 0;
        while (range + 1 < bounds.size() && Compare(bounds[range + 1], key) <= 0) ++range;
        ASSERT_EQ(d.Locate(key).owner.value, range);
        if (lower && order(key, *lower) < (lower->inclusive ? 0 : 1)) continue;
        if (upper && order(key, *upper) > (upper->inclusive ? 0 : -1)) continue;
        expected.Add(ShardIndex{static_cast<uint16_t>(range)});
      }
    }
    const ShardSet owners = d.OwnersOfInterval(lower, upper);
    EXPECT_EQ(owners & expected, expected) << round;
  }
}

TEST(Distribution, HashesIntoItsSpace) {
  const Distribution d = Make({{.type = KeyType::kText, .hashed = true}, kText}, {{}, {Number(0)}});
  EXPECT_EQ(d.ToSpace(0, Text("a")), KeyValue(int64_t{-6705225459120232837}));
  EXPECT_EQ(d.ToSpace(1, Text("a")), Text("a"));
  EXPECT_EQ(d.Locate({d.ToSpace(0, Text("a")), Text("")}).name, "r0");
}

TEST(Distribution, MayOwnNothing) {
  const Distribution d = Make({kBigint}, {});
  EXPECT_TRUE(d.AllOwners().empty());
  EXPECT_TRUE(d.OwnersOfPrefix({Number(1)}).empty());
  EXPECT_TRUE(d.OwnersOfInterval(Inclusive({Number(1)}), std::nullopt).empty());
}

TEST(Distribution, TellsUpperBounds) {
  const Distribution d = Make({kBigint}, {{}, {Number(7)}});
  ASSERT_NE(d.UpperOf(0), nullptr);
  EXPECT_EQ(d.UpperOf(0)->values[0], Number(7));
  EXPECT_EQ(d.UpperOf(1), nullptr);
}

void ExpectRefused(std::vector<KeyColumn> columns, std::vector<KeyRange> ranges,
                   std::string_view reason) {
  const auto distribution = Distribution::Build("d", std::move(columns), std::move(ranges));
  ASSERT_FALSE(distribution.ok()) << reason;
  const SqlError error = ToSqlError(distribution.status());
  EXPECT_EQ(error.sqlstate, "22023");
  EXPECT_NE(error.message.find(reason), std::string::npos) << error.message;
}

TEST(Distribution, RefusesWhatTheCatalogMustNotHold) {
  ExpectRefused({}, {}, "no key column");
  ExpectRefused({{.type = KeyType::kNumeric, .hashed = true}}, {}, "cannot be hashed");
  ExpectRefused({kBigint}, Ranges({{Number(1)}}), "MINVALUE");
  ExpectRefused({kBigint}, Ranges({{}, {Number(2)}, {Number(1)}}), "not in the order");
  ExpectRefused({kBigint}, Ranges({{}, {Number(2)}, {Number(2)}}), "not in the order");
  ExpectRefused({kBigint}, Ranges({{}, {}}), "not in the order");
  ExpectRefused({kBigint}, Ranges({{}, {Text("x")}}), "is no bigint");
  ExpectRefused({kText}, Ranges({{}, {Number(1)}}), "is no text");
  ExpectRefused({{.type = KeyType::kText, .hashed = true}}, Ranges({{}, {Text("x")}}),
                "is no bigint");
  ExpectRefused({kBigint}, Ranges({{}, {Number(1), Number(2)}}), "has 2 values");
  auto twice = Ranges({{}, {Number(1)}});
  twice[1].name = "r0";
  ExpectRefused({kBigint}, twice, "two key ranges \"r0\"");
  auto nameless = Ranges({{}});
  nameless[0].name = "";
  ExpectRefused({kBigint}, nameless, "no name");
  auto ownerless = Ranges({{}});
  ownerless[0].owner.value = kMaxShards;
  ExpectRefused({kBigint}, ownerless, "no owner");
}

}  // namespace
}  // namespace meridian
