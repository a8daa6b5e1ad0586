#include "sharding/shard_set.h"

#include <gtest/gtest.h>

#include <vector>

namespace meridian {
namespace {

TEST(ShardSet, HoldsShards) {
  ShardSet set = ShardSet::Of({255});
  set.Add(ShardIndex{3});
  EXPECT_TRUE(set.Contains({3}));
  EXPECT_FALSE(set.Contains({4}));
  EXPECT_EQ(set.size(), 2u);
  EXPECT_FALSE(set.has_one());
  EXPECT_TRUE(ShardSet::Of({255}).has_one());
  EXPECT_FALSE(ShardSet().has_one());
  EXPECT_EQ(set.first(), ShardIndex{3});
  std::vector<int> visited;
  set.ForEach([&](ShardIndex shard) { visited.push_back(shard.value); });
  EXPECT_EQ(visited, (std::vector<int>{3, 255}));
}

TEST(ShardSet, CombinesAndCompares) {
  ShardSet set = ShardSet::FirstN(4);
  EXPECT_EQ(set & ShardSet::Of({2}), ShardSet::Of({2}));
  EXPECT_TRUE((set & ShardSet::Of({4})).empty());
  set.Add(ShardSet::Of({4}));
  EXPECT_EQ(set, ShardSet::FirstN(5));
  EXPECT_EQ(ShardSet::FirstN(kMaxShards).size(), kMaxShards);
}

}  // namespace
}  // namespace meridian
