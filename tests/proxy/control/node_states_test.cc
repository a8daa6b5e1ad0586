#include "proxy/control/node_states.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kSystem = 7000;

NodeState Node(uint16_t port, NodeRole role, uint32_t timeline, uint64_t system = kSystem) {
  NodeState node;
  node.address = {"h", port};
  node.role = role;
  node.reachable = true;
  node.timeline = timeline;
  node.system_identifier = system;
  return node;
}
NodeState Primary(uint16_t port, uint32_t timeline, uint64_t system = kSystem) {
  return Node(port, NodeRole::kPrimary, timeline, system);
}
NodeState Replica(uint16_t port, uint32_t timeline, uint64_t system = kSystem) {
  return Node(port, NodeRole::kReplica, timeline, system);
}
NodeState Dead(uint16_t port, uint32_t timeline = 0, uint64_t system = 0) {
  NodeState node = Node(port, NodeRole::kUnknown, timeline, system);
  node.reachable = false;
  node.last_error = "no route";
  return node;
}

TEST(ChooseRoles, TakesWhatTheNodesSay) {
  const ShardNodes shard = ChooseRoles({Replica(1, 1), Primary(2, 1), Replica(3, 1)}, {});
  EXPECT_EQ(shard.primary, 1u);
  EXPECT_THAT(shard.replicas, ElementsAre(0, 2));
  EXPECT_EQ(shard.last_error, "");
}

TEST(ChooseRoles, TellsWhyThereIsNoPrimary) {
  const ShardNodes shard = ChooseRoles({Replica(1, 1), Dead(2)}, {});
  EXPECT_EQ(shard.Primary(), nullptr);
  EXPECT_EQ(shard.last_error, "no primary: h:1: is a replica; h:2: no route");
  EXPECT_EQ(ChooseRoles({}, {}).last_error, "the shard has no nodes");
}

TEST(ChooseRoles, KeepsAPrimaryThatDoesNotAnswer) {
  const ShardNodes before = ChooseRoles({Primary(1, 1), Replica(2, 1)}, {});
  const ShardNodes now = ChooseRoles({Dead(1, 1, kSystem), Replica(2, 1)}, before);
  EXPECT_EQ(now.primary, 0u);
  EXPECT_THAT(now.last_error, HasSubstr("h:1 cannot be used: no route"));
}

TEST(ChooseRoles, FollowsAPromotionAndRefusesTheOldPrimary) {
  const ShardNodes first = ChooseRoles({Primary(1, 1), Replica(2, 1)}, {});
  const ShardNodes promoted = ChooseRoles({Dead(1, 1, kSystem), Primary(2, 2)}, first);
  EXPECT_EQ(promoted.primary, 1u);
  EXPECT_EQ(promoted.last_error, "");

  // It comes back as it was, and later the new one is down: the old one lacks writes.
  const ShardNodes back = ChooseRoles({Primary(1, 1), Primary(2, 2)}, promoted);
  EXPECT_EQ(back.primary, 1u);
  EXPECT_THAT(back.nodes[0].last_error, HasSubstr("a primary of timeline 1"));
  const ShardNodes alone = ChooseRoles({Primary(1, 1), Dead(2, 2, kSystem)}, back);
  EXPECT_EQ(alone.primary, 1u);
  EXPECT_THAT(alone.nodes[0].last_error, HasSubstr("it was replaced"));
}

TEST(ChooseRoles, RemembersTheTimelineWhileThereIsNoPrimary) {
  const ShardNodes first = ChooseRoles({Replica(1, 1), Primary(2, 2)}, {});
  const ShardNodes demoted = ChooseRoles({Replica(1, 1), Replica(2, 2)}, first);
  EXPECT_EQ(demoted.primary, std::nullopt);
  const ShardNodes old = ChooseRoles({Primary(1, 1), Replica(2, 2)}, demoted);
  EXPECT_EQ(old.primary, std::nullopt);
  EXPECT_THAT(old.nodes[0].last_error, HasSubstr("it was replaced"));
  EXPECT_EQ(ChooseRoles({Primary(1, 3), Replica(2, 2)}, old).primary, 0u);
}

TEST(ChooseRoles, RefusesAPrimaryThatWasSetBack) {
  const ShardNodes before = ChooseRoles({Primary(1, 2)}, {});
  const ShardNodes now = ChooseRoles({Primary(1, 1)}, before);
  EXPECT_EQ(now.primary, std::nullopt);
  EXPECT_THAT(now.last_error, HasSubstr("timeline"));
}

TEST(ChooseRoles, DoesNotGuessBetweenTwoPrimariesOfOneTimeline) {
  const ShardNodes unknown = ChooseRoles({Primary(1, 1), Primary(2, 1)}, {});
  EXPECT_EQ(unknown.primary, std::nullopt);
  EXPECT_THAT(unknown.last_error, HasSubstr("second primary"));

  const ShardNodes before = ChooseRoles({Primary(1, 1), Replica(2, 1)}, {});
  const ShardNodes now = ChooseRoles({Primary(1, 1), Primary(2, 1)}, before);
  EXPECT_EQ(now.primary, 0u);
  EXPECT_THAT(now.nodes[1].last_error, HasSubstr("second primary"));
}

TEST(ChooseRoles, RefusesNodesOfAnotherSystem) {
  const ShardNodes shard = ChooseRoles({Primary(1, 1), Replica(2, 1, 8000)}, {});
  EXPECT_EQ(shard.primary, 0u);
  EXPECT_THAT(shard.replicas, IsEmpty());
  EXPECT_THAT(shard.nodes[1].last_error, HasSubstr("system identifier is 8000"));

  // Also where it takes the primary's place with a newer timeline.
  const ShardNodes taken = ChooseRoles({Primary(1, 9, 8000), Replica(2, 1)}, shard);
  EXPECT_EQ(taken.primary, std::nullopt);
  EXPECT_THAT(taken.last_error, HasSubstr("not a node of this shard"));
}

TEST(ChooseRoles, DoesNotGuessBetweenTwoSystems) {
  const ShardNodes shard = ChooseRoles({Primary(1, 1), Primary(2, 1, 8000)}, {});
  EXPECT_EQ(shard.primary, std::nullopt);
}

TEST(ChooseRoles, ForgetsWhereAllNodesAreNew) {
  const ShardNodes before = ChooseRoles({Primary(1, 5)}, {});
  EXPECT_EQ(ChooseRoles({Primary(2, 1, 8000)}, before).primary, 0u);
  // One node that stays is enough to remember.
  EXPECT_EQ(ChooseRoles({Dead(1), Primary(2, 1, 8000)}, before).primary, 0u);
  EXPECT_FALSE(ChooseRoles({Dead(1), Primary(2, 1, 8000)}, before).nodes[1].last_error.empty());
}

TEST(NodeStates, TheNewestVersionIsKnownOnlyWhereAllAnswered) {
  NodeStates states;
  EXPECT_EQ(states.NewestServerVersion(), 0);
  NodeState old = Primary(1, 1);
  old.server_version = 150004;
  NodeState newer = Dead(2);
  newer.server_version = 160001;
  states.shards.resize(2);
  states.shards[0].nodes = {old};
  states.shards[1].nodes = {newer};
  EXPECT_EQ(states.NewestServerVersion(), 160001);
  states.shards[0].nodes.push_back(Dead(3));
  EXPECT_EQ(states.NewestServerVersion(), 0);
}

}  // namespace
}  // namespace meridian
