#include "proxy/control/deadlock_graph.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

std::vector<WaiterKey> Victims(const std::vector<WaitEdge>& edges,
                               const std::map<WaiterKey, int64_t>& began) {
  std::vector<WaiterKey> keys;
  for (const DeadlockVictim& victim : FindDeadlocks(edges, began)) keys.push_back(victim.key);
  return keys;
}

TEST(DeadlockGraphTest, NoCircleNoVictim) {
  EXPECT_TRUE(Victims({}, {}).empty());
  EXPECT_TRUE(Victims({{"s1", "a", "b"}, {"s2", "b", "c"}, {"s1", "d", "c"}},
                      {{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}})
                  .empty());
}

TEST(DeadlockGraphTest, TheYoungestOfACircleGivesWay) {
  const std::vector<WaitEdge> edges = {{"s1", "a", "b"}, {"s2", "b", "a"}};
  EXPECT_EQ(Victims(edges, {{"a", 1}, {"b", 2}}), std::vector<WaiterKey>{"b"});
  EXPECT_EQ(Victims(edges, {{"a", 2}, {"b", 1}}), std::vector<WaiterKey>{"a"});
  // All that look must choose the same one.
  EXPECT_EQ(Victims(edges, {{"a", 1}, {"b", 1}}), std::vector<WaiterKey>{"b"});
  EXPECT_EQ(Victims({edges[1], edges[0]}, {{"a", 1}, {"b", 1}}), std::vector<WaiterKey>{"b"});
}

TEST(DeadlockGraphTest, TheDetailTellsTheCircle) {
  const auto victims = FindDeadlocks({{"s1", "a", "b"}, {"s2", "b", "a"}}, {{"a", 1}, {"b", 2}});
  ASSERT_EQ(victims.size(), 1);
  EXPECT_EQ(victims[0].detail, "a waits on shard \"s1\" for b. b waits on shard \"s2\" for a.");
}

// A process of one shard alone may stand between transactions on several.
TEST(DeadlockGraphTest, ACircleThroughOthers) {
  EXPECT_EQ(Victims({{"s1", "a", "process 1 of s1"},
                     {"s1", "process 1 of s1", "b"},
                     {"s2", "b", "process 2 of s2"},
                     {"s2", "process 2 of s2", "a"}},
                    {{"a", 1}, {"b", 2}}),
            std::vector<WaiterKey>{"b"});
}

TEST(DeadlockGraphTest, CirclesOnOneShardAreItsOwn) {
  EXPECT_TRUE(Victims({{"s1", "a", "b"}, {"s1", "b", "a"}}, {{"a", 1}, {"b", 2}}).empty());
  EXPECT_TRUE(Victims({{"s1", "a", "a"}}, {{"a", 1}}).empty());
}

TEST(DeadlockGraphTest, EachCircleLosesOne) {
  // Two circles that share a transaction: without it neither is left.
  EXPECT_EQ(Victims({{"s1", "a", "b"}, {"s2", "b", "a"}, {"s3", "b", "c"}, {"s1", "c", "b"}},
                    {{"a", 1}, {"b", 9}, {"c", 2}}),
            std::vector<WaiterKey>{"b"});
  // Two of their own.
  EXPECT_EQ(Victims({{"s1", "a", "b"}, {"s2", "b", "a"}, {"s1", "c", "d"}, {"s2", "d", "c"}},
                    {{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}}),
            (std::vector<WaiterKey>{"b", "d"}));
  // Behind one on a single shard, which PostgreSQL ends, there may be another.
  EXPECT_EQ(Victims({{"s1", "a", "x"}, {"s1", "x", "a"}, {"s1", "a", "b"}, {"s2", "b", "a"}},
                    {{"a", 1}, {"b", 2}}),
            std::vector<WaiterKey>{"b"});
}

}  // namespace
}  // namespace meridian
