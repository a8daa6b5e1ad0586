#include "proxy/control/node_samples.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

TEST(NodeSamples, ASampleHasTheNumberThatWasGivenOutBeforeItWasTaken) {
  NodeSamples samples;
  EXPECT_EQ(samples.as_primary().number, 0u);
  samples.Start();
  EXPECT_EQ(samples.started(), 1u);
  EXPECT_EQ(samples.as_primary().number, 0u);
  samples.FinishAsPrimary(700);
  EXPECT_EQ(samples.as_primary().number, 1u);
  EXPECT_EQ(samples.as_primary().lsn, 700u);
  EXPECT_EQ(samples.as_replica().number, 0u);
  samples.Start();
  samples.FinishAsReplica(650, 12, 5);
  EXPECT_EQ(samples.as_replica().number, 2u);
  EXPECT_EQ(samples.as_replica().lsn, 650u);
  EXPECT_EQ(samples.covers_us(), 12u);
  EXPECT_EQ(samples.as_primary().number, 1u);
}

TEST(WalHistory, TellsTheLatestMomentThatAPositionCovers) {
  WalHistory history;
  EXPECT_EQ(history.CoveredBy(1), 0u);
  EXPECT_EQ(history.newest_us(), 0u);
  history.Add(10, 100);
  history.Add(20, 200);
  history.Add(30, 200);  // nothing was written
  history.Add(40, 300);
  EXPECT_EQ(history.CoveredBy(99), 0u);
  EXPECT_EQ(history.CoveredBy(100), 10u);
  EXPECT_EQ(history.CoveredBy(199), 10u);
  EXPECT_EQ(history.CoveredBy(200), 30u);
  EXPECT_EQ(history.CoveredBy(5000), 40u);
  EXPECT_EQ(history.newest_us(), 40u);
}

TEST(WalHistory, ForgetsWhatACrashHasLost) {
  WalHistory history;
  history.Add(10, 100);
  history.Add(20, 200);
  history.Add(30, 150);
  EXPECT_EQ(history.CoveredBy(149), 10u);
  EXPECT_EQ(history.CoveredBy(250), 30u);
}

TEST(WalHistory, ForgetsWhatIsLongAgo) {
  WalHistory history;
  for (uint64_t i = 1; i <= 10'000; ++i) history.Add(i, i);
  EXPECT_EQ(history.CoveredBy(1), 0u);
  EXPECT_EQ(history.CoveredBy(9'000), 9'000u);
}

TEST(ReplicaHealth, LeavesAtOnceAndReturnsAfterAWhile) {
  ReplicaHealth health;
  EXPECT_FALSE(health.Check(true, 200, 100));
  EXPECT_TRUE(health.Check(true, 90, 100));  // the first time there is nothing to wait for
  EXPECT_FALSE(health.Check(true, 101, 100));
  for (int i = 1; i < ReplicaHealth::kChecksToReturn; ++i) {
    EXPECT_FALSE(health.Check(true, 50, 100));
  }
  EXPECT_FALSE(health.Check(true, 51, 100));  // more than half: it begins anew
  for (int i = 1; i < ReplicaHealth::kChecksToReturn; ++i) {
    EXPECT_FALSE(health.Check(true, 0, 100));
  }
  EXPECT_TRUE(health.Check(true, 0, 100));
  EXPECT_TRUE(health.Check(true, 99, 100));
  EXPECT_FALSE(health.Check(false, 0, 100));
}

TEST(WithoutPageHeader, AnEmptyPageIsTheEndOfTheOneBefore) {
  EXPECT_EQ(WithoutPageHeader(3 * 8192 + 24), 3u * 8192);
  EXPECT_EQ(WithoutPageHeader(3 * 8192 + 32), 3u * 8192 + 32);
  EXPECT_EQ(WithoutPageHeader(3 * 8192), 3u * 8192);
}

}  // namespace
}  // namespace meridian
