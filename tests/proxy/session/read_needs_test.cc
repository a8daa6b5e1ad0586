#include "proxy/session/read_needs.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

constexpr ShardIndex kShard{0};

// A primary and two replicas.
class ReadNeedsTest : public ::testing::Test {
 protected:
  ReadNeedsTest() {
    for (auto& samples : nodes_) {
      samples = std::make_shared<NodeSamples>();
      NodeState node;
      node.samples = samples;
      shard_.nodes.push_back(node);
    }
    shard_.primary = 0;
    shard_.replicas = {1, 2};
  }
  void PrimaryIsAt(Lsn lsn, int node = 0) {
    nodes_[node]->Start();
    nodes_[node]->FinishAsPrimary(lsn);
  }
  void ReplicaIsAt(int node, Lsn lsn) {
    nodes_[node]->Start();
    nodes_[node]->FinishAsReplica(lsn, 0, 0);
  }
  bool Met(int node, uint64_t server = 0, uint64_t connected = 0) {
    return needs_.Met(kShard, shard_, *nodes_[node], server, connected);
  }

  std::shared_ptr<NodeSamples> nodes_[3];
  ShardNodes shard_;
  ReadNeeds needs_;
};

TEST_F(ReadNeedsTest, WhoHasWrittenNothingReadsAnywhere) {
  EXPECT_TRUE(Met(1));
  EXPECT_TRUE(Met(2));
}

TEST_F(ReadNeedsTest, AWriteIsFoundWhereTheSampleBehindItIsReplayed) {
  PrimaryIsAt(100);
  ReplicaIsAt(1, 500);
  needs_.NotePrimary(kShard, shard_);
  EXPECT_FALSE(Met(1));  // the sample is of before
  PrimaryIsAt(200);
  EXPECT_TRUE(Met(1));
  EXPECT_FALSE(Met(2));
  ReplicaIsAt(2, 199);
  EXPECT_FALSE(Met(2));
  ReplicaIsAt(2, 200);
  EXPECT_TRUE(Met(2));
}

TEST_F(ReadNeedsTest, ASampleThatWasUnderWayIsNotEnough) {
  ReplicaIsAt(1, 500);
  nodes_[0]->Start();
  needs_.NotePrimary(kShard, shard_);
  nodes_[0]->FinishAsPrimary(100);
  EXPECT_FALSE(Met(1));
  PrimaryIsAt(120);
  EXPECT_TRUE(Met(1));
}

TEST_F(ReadNeedsTest, SamplesSayNothingAboutLaterConnections) {
  needs_.NotePrimary(kShard, shard_);
  PrimaryIsAt(200);
  ReplicaIsAt(1, 300);
  EXPECT_FALSE(Met(1, 7, nodes_[1]->started()));
  ReplicaIsAt(1, 300);
  EXPECT_TRUE(Met(1, 7, nodes_[1]->started() - 1));
}

TEST_F(ReadNeedsTest, ANewPrimaryIsAskedInstead) {
  needs_.NotePrimary(kShard, shard_);
  ReplicaIsAt(1, 500);
  shard_.primary = 2;
  shard_.replicas = {1};
  EXPECT_FALSE(Met(1));
  ReplicaIsAt(0, 900);  // as a replica it does not tell
  EXPECT_FALSE(Met(1));
  PrimaryIsAt(400, 2);
  EXPECT_TRUE(Met(1));
}

TEST_F(ReadNeedsTest, WhereNoPrimaryIsKnownNobodyTells) {
  shard_.primary = std::nullopt;
  needs_.NotePrimary(kShard, shard_);
  ReplicaIsAt(1, 500);
  EXPECT_FALSE(Met(1));
  shard_.primary = 0;
  EXPECT_FALSE(Met(1));
  PrimaryIsAt(400);
  EXPECT_TRUE(Met(1));
}

TEST_F(ReadNeedsTest, WhatAReplicaHasShownIsFoundThereAndWhereAsMuchIsReplayed) {
  nodes_[1]->Start();
  nodes_[1]->FinishAsReplica(100, 0, 0);
  needs_.NoteReplica(kShard, nodes_[1], 7);
  ReplicaIsAt(2, 500);
  EXPECT_TRUE(Met(1, 7, 1));                      // the same connection
  EXPECT_TRUE(Met(1, 8, 0));                      // one that was there before
  EXPECT_FALSE(Met(1, 9, nodes_[1]->started()));  // perhaps of a server that was restarted
  EXPECT_FALSE(Met(2));
  ReplicaIsAt(1, 300);
  EXPECT_TRUE(Met(2));
  EXPECT_TRUE(Met(1));
}

TEST_F(ReadNeedsTest, APositionIsRequired) {
  needs_.Require(kShard, 400);
  ReplicaIsAt(1, 399);
  EXPECT_FALSE(Met(1));
  ReplicaIsAt(1, 400);
  EXPECT_TRUE(Met(1));
  Lsn lsn = 0;
  EXPECT_TRUE(needs_.PositionOf(kShard, shard_, &lsn));
  EXPECT_EQ(lsn, 400u);
  needs_.NotePrimary(kShard, shard_);
  EXPECT_FALSE(needs_.PositionOf(kShard, shard_, &lsn));
  PrimaryIsAt(600);
  EXPECT_TRUE(needs_.PositionOf(kShard, shard_, &lsn));
  EXPECT_EQ(lsn, 600u);
}

}  // namespace
}  // namespace meridian
