#include "metrics/histogram.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace meridian {
namespace {

using B = HistogramBuckets;

TEST(HistogramBuckets, EachValueIsWithinItsBounds) {
  for (uint64_t us = 0; us < 300'000; ++us) {
    const size_t i = B::Index(us);
    ASSERT_LT(i, B::kCount - 1);
    ASSERT_LE(us, B::UpperBound(i)) << us;
    if (i > 0) {
      ASSERT_GT(us, B::UpperBound(i - 1)) << us;
    }
  }
}

TEST(HistogramBuckets, BoundsGrowByAtMostAQuarter) {
  for (size_t i = 4; i + 1 < B::kCount; ++i) {
    EXPECT_LE(B::UpperBound(i) * 4, B::UpperBound(i - 1) * 5) << i;
    EXPECT_GT(B::UpperBound(i), B::UpperBound(i - 1));
  }
  EXPECT_EQ(B::UpperBound(B::kCount - 2), uint64_t{1} << B::kBits);
}

TEST(HistogramBuckets, TheLastTakesEverythingAbove) {
  EXPECT_EQ(B::Index(uint64_t{1} << B::kBits), B::kCount - 2);
  EXPECT_EQ(B::Index((uint64_t{1} << B::kBits) + 1), B::kCount - 1);
  EXPECT_EQ(B::Index(std::numeric_limits<uint64_t>::max()), B::kCount - 1);
}

TEST(Histogram, AddsUp) {
  Histogram a;
  Histogram b;
  for (uint64_t us = 1; us <= 100; ++us) a.Record(us);
  b.Record(1'000'000);
  HistogramTotals totals;
  EXPECT_EQ(totals.Quantile(0.5), 0u);
  a.AddTo(totals);
  EXPECT_EQ(totals.count, 100u);
  EXPECT_EQ(totals.sum_us, 5050u);
  EXPECT_EQ(totals.Quantile(0.5), 56u);  // the bucket that 50 falls in ends at 56
  EXPECT_EQ(totals.Quantile(0), 1u);
  b.AddTo(totals);
  EXPECT_EQ(totals.count, 101u);
  EXPECT_EQ(totals.Quantile(1), B::UpperBound(B::Index(1'000'000)));
}

TEST(Counter, IsReadWhileItIsWritten) {
  Counter counter;
  Gauge gauge;
  constexpr uint64_t kAdds = 1'000'000;
  std::thread writer([&] {
    for (uint64_t i = 0; i < kAdds; ++i) {
      counter.Add();
      gauge.Add(2);
      gauge.Sub();
    }
  });
  uint64_t last = 0;
  while (last < kAdds) {
    const uint64_t now = counter.Get();
    ASSERT_GE(now, last);
    last = now;
  }
  writer.join();
  EXPECT_EQ(gauge.Get(), static_cast<int64_t>(kAdds));
}

}  // namespace
}  // namespace meridian
