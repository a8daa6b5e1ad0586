#include "proxy/control/use_meter.h"

#include <gtest/gtest.h>

#include <utility>

namespace meridian {
namespace {

// One second of `statements` in the sample, each of `us`.
RangeUseReport Second(int statements, uint64_t us, const std::string& key = "1") {
  RangeUse use;
  for (int i = 0; i < statements; ++i) {
    if (use.Add("r", "s", us)) use.AddKey("r", {key});
  }
  return use.Take();
}

TEST(UseMeter, ComesToTheRateAndForgetsIt) {
  UseMeter meter;
  for (int i = 0; i < 120; ++i) meter.Add(Second(10, 200), 1.0);
  const UseMeter::Load& load = meter.Loads().at("r");
  EXPECT_NEAR(load.statements_per_s, 10.0 * RangeUse::kSampled, 5);
  EXPECT_NEAR(load.busy_us_per_s, 2000.0 * RangeUse::kSampled, 1000);
  for (int i = 0; i < 30; ++i) meter.Add({}, 1.0);
  EXPECT_NEAR(meter.Loads().at("r").statements_per_s, 10.0 * RangeUse::kSampled / 2.718, 5);
  for (int i = 0; i < 600; ++i) meter.Add({}, 1.0);
  EXPECT_TRUE(meter.Loads().empty());
}

TEST(UseMeter, CountsByTheTimeBetweenReports) {
  UseMeter meter;
  for (int i = 0; i < 60; ++i) meter.Add(Second(10, 200), 2.0);
  EXPECT_NEAR(meter.Loads().at("r").statements_per_s, 5.0 * RangeUse::kSampled, 5);
  meter.Add(Second(10, 200), 0);  // no time has passed: nothing can be said
  EXPECT_NEAR(meter.Loads().at("r").statements_per_s, 5.0 * RangeUse::kSampled, 5);
}

TEST(UseMeter, LatencyIsThatOfTheLastReports) {
  UseMeter meter;
  meter.Add(Second(100, 1'000'000), 1.0);
  for (size_t i = 0; i < UseMeter::kUsualReports; ++i) {
    const bool recent = i + UseMeter::kRecentReports >= UseMeter::kUsualReports;
    meter.Add(Second(100, recent ? 500 : 50'000), 1.0);
  }
  const UseMeter::Latency latency = meter.Latencies().at("s");
  EXPECT_EQ(latency.recent.count, 100 * UseMeter::kRecentReports);
  EXPECT_LT(latency.recent.Quantile(1), 1000u);
  EXPECT_GE(latency.recent.Quantile(0), 500u);
  EXPECT_EQ(latency.usual.count, 100 * UseMeter::kUsualReports);
  EXPECT_NEAR(static_cast<double>(latency.usual.Quantile(1)), 50'000, 12'500);
}

TEST(UseMeter, KeepsTheNewestKeys) {
  UseMeter meter;
  for (int i = 0; i < 20; ++i) meter.Add(Second(20, 1, std::to_string(i)), 1.0);
  const auto& keys = meter.Loads().at("r").keys;
  EXPECT_EQ(keys.size(), UseMeter::kKeysKept);
  EXPECT_EQ(keys.back(), RangeUseReport::Key{"19"});
}

}  // namespace
}  // namespace meridian
