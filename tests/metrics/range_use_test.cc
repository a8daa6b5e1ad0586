#include "metrics/range_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian {
namespace {

TEST(RangeUse, AddsUpByRangeAndShard) {
  RangeUse use;
  EXPECT_TRUE(use.Add("r1", "s1", 100));
  use.AddKey("r1", {"5"});
  EXPECT_TRUE(use.Add("r1", "s1", 300));
  EXPECT_TRUE(use.Add("r2", "s1", 50));
  use.AddKey("gone", {"5"});
  const RangeUseReport report = use.Take();
  ASSERT_EQ(report.ranges.size(), 2u);
  EXPECT_EQ(report.ranges.at("r1").statements, 2u);
  EXPECT_EQ(report.ranges.at("r1").time_us, 400u);
  EXPECT_THAT(report.ranges.at("r1").keys, ::testing::ElementsAre(RangeUseReport::Key{"5"}));
  EXPECT_EQ(report.shards.at("s1").count, 3u);
  EXPECT_EQ(report.shards.at("s1").sum_us, 450u);
  EXPECT_TRUE(use.Take().ranges.empty());
}

TEST(RangeUse, IsBounded) {
  RangeUse use;
  for (size_t i = 0; i < RangeUse::kRangesMax + 10; ++i) use.Add("r" + std::to_string(i), "s", 1);
  for (size_t i = 0; i < RangeUseReport::kKeys; ++i) {
    ASSERT_TRUE(use.Add("r1", "s", 1));
    use.AddKey("r1", {"1"});
  }
  EXPECT_FALSE(use.Add("r1", "s", 1));  // no more keys
  EXPECT_EQ(use.Take().ranges.size(), RangeUse::kRangesMax);
}

TEST(RangeUse, ReportsOfWorkersAddUp) {
  RangeUse a, b;
  for (RangeUse* const use : {&a, &b}) {
    for (size_t i = 0; i < 10; ++i) {
      use->Add("r", "s", 1000);
      use->AddKey("r", {"k", "2"});
    }
  }
  RangeUseReport sum = a.Take();
  sum.Add(b.Take());
  EXPECT_EQ(sum.ranges.at("r").statements, 20u);
  EXPECT_EQ(sum.ranges.at("r").keys.size(), RangeUseReport::kKeys);
  EXPECT_EQ(sum.shards.at("s").count, 20u);
  EXPECT_GE(sum.shards.at("s").Quantile(0.95), 1000u);
}

}  // namespace
}  // namespace meridian
