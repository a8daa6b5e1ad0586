#include "rebalance/throttle.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

constexpr uint64_t kSecond = 1'000'000;
constexpr uint64_t kMiB = 1 << 20;

// Bytes per second of a sender that waits as it is told, in pieces of 64 KiB.
double RateOver(Throttle& throttle, uint64_t* now_us, double seconds, uint64_t piece_us = 100) {
  const uint64_t begin = *now_us;
  const auto end = begin + static_cast<uint64_t>(seconds * kSecond);
  uint64_t bytes = 0;
  while (*now_us < end) {
    bytes += 64 << 10;
    *now_us += piece_us + throttle.Take(64 << 10, *now_us);
  }
  return static_cast<double>(bytes) * kSecond / static_cast<double>(*now_us - begin);
}

TEST(Throttle, WithoutALimitItNeverWaits) {
  Throttle throttle(0);
  for (uint64_t now = 1; now < 1000; ++now) EXPECT_EQ(throttle.Take(kMiB, now), 0u);
  EXPECT_EQ(throttle.rate(), std::nullopt);
  EXPECT_EQ(throttle.reason(), "");
}

TEST(Throttle, KeepsTheRate) {
  for (const uint64_t rate : {kMiB, 20 * kMiB, 200 * kMiB}) {
    Throttle throttle(rate);
    uint64_t now = kSecond;
    EXPECT_NEAR(RateOver(throttle, &now, 10) / static_cast<double>(rate), 1, 0.1) << rate;
    EXPECT_EQ(throttle.reason(), "max_rate");
  }
}

// A third faster each second, until what is sent is held back no more, or something presses.
TEST(Throttle, BeginsSlowlyWhereSomebodyCouldBeHurt) {
  Throttle throttle(0);
  uint64_t now = kSecond;
  throttle.BeginSlowly();
  throttle.Adapt({}, now);
  double last = 0;
  for (int second = 0; second < 4; ++second) {
    const double rate = RateOver(throttle, &now, 1);
    if (second > 0) {
      EXPECT_NEAR(rate / last, 1.33, 0.2) << second;
    }
    EXPECT_EQ(throttle.reason(), "slow start");
    last = rate;
    throttle.Adapt({}, now);
  }
  RateOver(throttle, &now, 1);
  throttle.Adapt({{"latency", 2, 1}}, now);
  EXPECT_EQ(throttle.reason(), "latency");
  const double after = RateOver(throttle, &now, 1);
  throttle.Adapt({}, now);
  EXPECT_LT(RateOver(throttle, &now, 1), 1.2 * after + 2.0 * Throttle::kRateMin);

  Throttle free(0);
  free.BeginSlowly();
  free.Adapt({}, now);
  for (int second = 0; second < 10; ++second) {  // never more than 1 MiB per second is sent
    for (int i = 0; i < 10; ++i) free.Take(kMiB / 10, now += kSecond / 10);
    free.Adapt({}, now);
  }
  EXPECT_EQ(free.rate(), std::nullopt);
}

TEST(Throttle, APauseIsNotMadeUpFor) {
  Throttle throttle(kMiB);
  uint64_t now = kSecond;
  RateOver(throttle, &now, 1);
  now += 3600 * kSecond;
  EXPECT_LT(RateOver(throttle, &now, 2), 1.2 * kMiB);
}

TEST(Throttle, GivesWayAndComesBack) {
  Throttle throttle(0);
  uint64_t now = kSecond;
  throttle.Adapt({{"replica lag", 1, 5}}, now);
  RateOver(throttle, &now, 1, 1000);  // 64 MiB/s by itself
  throttle.Adapt({{"latency", 1, 5}, {"replica lag", 12, 5}}, now);
  ASSERT_TRUE(throttle.rate().has_value());
  EXPECT_NEAR(static_cast<double>(*throttle.rate()) / kMiB, 32, 5);
  EXPECT_EQ(throttle.reason(), "replica lag");
  for (int i = 0; i < 30; ++i) {
    RateOver(throttle, &now, 1, 1000);
    throttle.Adapt({{"replica lag", 12, 5}}, now);
  }
  EXPECT_LE(*throttle.rate(), Throttle::kRateMin * 2);  // slow, but never stopped
  EXPECT_GE(*throttle.rate(), Throttle::kRateMin);
  double before = static_cast<double>(*throttle.rate());
  for (int i = 0; i < 200 && throttle.rate(); ++i) {
    RateOver(throttle, &now, 1, 1000);
    throttle.Adapt({{"replica lag", 4, 5}}, now);
    if (!throttle.rate()) break;
    EXPECT_GE(static_cast<double>(*throttle.rate()), before);
    EXPECT_LE(static_cast<double>(*throttle.rate()), before * 1.2 + 2.0 * Throttle::kRateMin);
    before = static_cast<double>(*throttle.rate());
  }
  EXPECT_EQ(throttle.rate(), std::nullopt);
  EXPECT_EQ(throttle.reason(), "");
}

TEST(Throttle, TheLowerLimitHolds) {
  Throttle throttle(10 * kMiB);
  uint64_t now = kSecond;
  throttle.Adapt({}, now);
  RateOver(throttle, &now, 1);
  throttle.Adapt({{"retained WAL", 2, 1}}, now);
  EXPECT_LT(*throttle.rate(), 6 * kMiB);
  throttle.set_max_rate(kMiB);
  EXPECT_EQ(*throttle.rate(), kMiB);
}

}  // namespace
}  // namespace meridian
