#include "metrics/registry.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

using Names = std::vector<std::string>;

TEST(MetricsRegistry, AShardKeepsItsSlotWhateverItsIndexIs) {
  MetricsRegistry registry;
  EXPECT_EQ(registry.SlotsFor(Names{"s1", "s2", "s3"}), (std::vector<ShardSlot>{0, 1, 2}));
  EXPECT_EQ(registry.SlotsFor(Names{"s0", "s2", "s3"}), (std::vector<ShardSlot>{3, 1, 2}));
  EXPECT_EQ(registry.SlotNames(), (Names{"s1", "s2", "s3", "s0"}));
}

TEST(MetricsRegistry, NamesThatFindNoSlotShareOne) {
  MetricsRegistry registry;
  Names names;
  for (size_t i = 0; i < kShardSlots; ++i) names.push_back("s" + std::to_string(i));
  registry.SlotsFor(names);
  EXPECT_EQ(registry.SlotNames().size(), kShardSlots);
  EXPECT_EQ(registry.SlotsFor(Names{"late", "s7", "later"}),
            (std::vector<ShardSlot>{kOtherShardsSlot, 7, kOtherShardsSlot}));
  ASSERT_EQ(registry.SlotNames().size(), kShardSlots + 1);
  EXPECT_EQ(registry.SlotNames().back(), "_other");
  registry.AddWorker().Shard(kOtherShardsSlot).waits.Add();
  registry.AddWorker().Shard(9999).waits.Add();  // never out of bounds
  uint64_t waits = 0;
  registry.ForEachWorker(
      [&](const WorkerMetrics& w) { waits += w.shards[kOtherShardsSlot].waits.Get(); });
  EXPECT_EQ(waits, 2u);
}

TEST(MetricsRegistry, WorkersShareNoCacheLine) {
  MetricsRegistry registry;
  const auto a = reinterpret_cast<uintptr_t>(&registry.AddWorker());
  const auto b = reinterpret_cast<uintptr_t>(&registry.AddWorker());
  EXPECT_EQ(a % 64, 0u);
  EXPECT_EQ(b % 64, 0u);
  EXPECT_EQ(sizeof(WorkerMetrics) % 64, 0u);
  EXPECT_LT(sizeof(WorkerMetrics), 64u * 1024);
}

}  // namespace
}  // namespace meridian
