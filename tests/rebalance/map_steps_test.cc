#include "rebalance/map_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using namespace map_steps;  // NOLINT: all of it is tested here

// Distribution d: `low` on s1, `high` from 100 on s2, `top` from 200 on s1.
MapDraft TestDraft() {
  MapDraft draft;
  draft.shards = {{"s1", {{"a", 1}}, ""}, {"s2", {{"b", 1}}, ""}, {"s3", {{"c", 1}}, ""}};
  draft.distributions = {{"d",
                          {{KeyType::kBigint, false}},
                          {{"low", {}, "s1"},
                           {"high", KeyBound{{KeyValue(int64_t{100})}}, "s2"},
                           {"top", KeyBound{{KeyValue(int64_t{200})}}, "s1"}}}};
  return draft;
}

MoveRequest Request(std::string range, std::string source, std::string target) {
  return {std::move(range), "d", std::move(source), std::move(target), {}};
}

std::string State(const absl::Status& status) {
  return status.ok() ? "" : ToSqlError(status).sqlstate;
}

// Each step leaves a valid map.
std::string Do(const absl::Status& step, const MapDraft& draft) {
  const auto map = BuildMap(Epoch{1}, draft);
  EXPECT_TRUE(!step.ok() || map.ok()) << map.status();
  return State(step);
}

TEST(MapSteps, FromTheAnnouncementToTheEnd) {
  MapDraft draft = TestDraft();
  const MoveRequest move = Request("high", "s2", "s3");
  DraftRange& range = draft.distributions[0].ranges[1];
  EXPECT_EQ(Do(Announce(move, draft), draft), "");
  EXPECT_EQ(range.owner, "s2");
  EXPECT_EQ(range.move->peer, "s3");
  ASSERT_EQ(draft.strays.size(), 1u);
  EXPECT_EQ(draft.strays[0].shard, "s3");
  EXPECT_EQ(draft.strays[0].lower.values[0], KeyValue(int64_t{100}));
  EXPECT_EQ(draft.strays[0].upper->values[0], KeyValue(int64_t{200}));

  EXPECT_EQ(Do(Swap(move, 5, draft), draft), "40001");  // not held
  EXPECT_EQ(Do(Hold(move, draft), draft), "");
  EXPECT_TRUE(range.move->held);
  EXPECT_EQ(Do(Release(move, draft), draft), "");
  EXPECT_FALSE(range.move->held);
  EXPECT_EQ(Do(Hold(move, draft), draft), "");
  EXPECT_EQ(Do(Swap(move, 5, draft), draft), "");
  EXPECT_EQ(range.owner, "s3");
  EXPECT_EQ(range.move->peer, "s2");
  EXPECT_FALSE(range.move->held);
  EXPECT_EQ(range.move->complete_at, 5u);
  ASSERT_EQ(draft.strays.size(), 1u);
  EXPECT_EQ(draft.strays[0].shard, "s2");

  EXPECT_EQ(Do(Swap(move, 5, draft), draft), "40001");  // once
  EXPECT_EQ(Do(Hold(move, draft), draft), "40001");
  EXPECT_EQ(Do(End(move, draft), draft), "");
  EXPECT_EQ(Do(End(move, draft), draft), "");
  EXPECT_FALSE(range.move);
  EXPECT_TRUE(draft.strays.empty());
  EXPECT_EQ(range.owner, "s3");
}

TEST(MapSteps, CancelledBeforeTheSwap) {
  MapDraft draft = TestDraft();
  const MoveRequest move = Request("top", "s1", "s2");
  EXPECT_EQ(Do(Announce(move, draft), draft), "");
  EXPECT_FALSE(draft.strays[0].upper.has_value());
  EXPECT_EQ(Do(Hold(move, draft), draft), "");
  EXPECT_EQ(Do(End(move, draft), draft), "");
  EXPECT_EQ(draft.distributions[0].ranges[2].owner, "s1");
  EXPECT_TRUE(draft.strays.empty());
}

TEST(MapSteps, WhatDoesNotFit) {
  MapDraft draft = TestDraft();
  EXPECT_EQ(State(Announce(Request("low", "s2", "s3"), draft)), "40001");   // not its owner
  EXPECT_EQ(State(Announce(Request("low", "s1", "s9"), draft)), "40001");   // no such shard
  EXPECT_EQ(State(Announce(Request("gone", "s1", "s2"), draft)), "40001");  // no such range
  EXPECT_EQ(State(Announce({"low", "gone", "s1", "s2", {}}, draft)), "40001");
  EXPECT_EQ(State(Hold(Request("low", "s1", "s2"), draft)), "40001");  // not announced
  EXPECT_EQ(State(Announce(Request("low", "s1", "s2"), draft)), "");
  EXPECT_EQ(State(Announce(Request("low", "s1", "s2"), draft)), "55006");
}

TEST(MapSteps, SeveralMoveAtATime) {
  MapDraft draft = TestDraft();
  const MoveRequest low = Request("low", "s1", "s2"), top = Request("top", "s1", "s3");
  for (const MoveRequest& move : {low, top}) EXPECT_EQ(Do(Announce(move, draft), draft), "");
  EXPECT_EQ(Do(Hold(top, draft), draft), "");
  EXPECT_EQ(Do(Swap(top, 5, draft), draft), "");
  EXPECT_EQ(Do(End(low, draft), draft), "");
  ASSERT_EQ(draft.strays.size(), 1u);
  EXPECT_EQ(draft.strays[0].lower.values[0], KeyValue(int64_t{200}));
  EXPECT_EQ(Do(End(top, draft), draft), "");
  EXPECT_TRUE(draft.strays.empty());
}

// As many as a set of moving ranges has room for.
TEST(MapSteps, NotAllMoveAtATime) {
  MapDraft draft = TestDraft();
  std::vector<DraftRange>& ranges = draft.distributions[0].ranges;
  for (int64_t i = 0; i < 40; ++i) {
    ranges.push_back({"r" + std::to_string(i), KeyBound{{KeyValue(1000 + i)}}, "s1"});
  }
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(Do(Announce(Request("r" + std::to_string(i), "s1", "s2"), draft), draft),
              i < kMaxMovingRanges ? "" : "55006");
  }
}

// The way back: the same with exchanged roles.
TEST(MapSteps, ThereAndBack) {
  MapDraft draft = TestDraft();
  const MoveRequest there = Request("high", "s2", "s3"), back = Request("high", "s3", "s2");
  DraftRange& range = draft.distributions[0].ranges[1];
  EXPECT_EQ(Do(Announce(there, draft), draft), "");
  EXPECT_EQ(Do(Hold(there, draft), draft), "");
  EXPECT_EQ(Do(Swap(there, 5, draft), draft), "");
  EXPECT_EQ(Do(Hold(there, draft), draft), "40001");  // that was the way there
  EXPECT_EQ(Do(Hold(back, draft), draft), "");
  EXPECT_EQ(Do(Release(back, draft), draft), "");
  EXPECT_EQ(range.move->complete_at, 5u);
  EXPECT_EQ(Do(Hold(back, draft), draft), "");
  EXPECT_EQ(Do(Swap(back, 7, draft), draft), "");
  EXPECT_EQ(range.owner, "s2");
  EXPECT_EQ(range.move->peer, "s3");
  ASSERT_EQ(draft.strays.size(), 1u);
  EXPECT_EQ(draft.strays[0].shard, "s3");
  EXPECT_EQ(Do(End(back, draft), draft), "");
  EXPECT_TRUE(draft.strays.empty());
}

std::string RangesOf(const MapDraft& draft) {
  std::string text;
  for (const DraftRange& range : draft.distributions[0].ranges) {
    text += range.name + (range.move ? "*" : "") + "@" + range.owner + " ";
  }
  return text;
}

// What a move in slices does: `high` is 100 to 199.
TEST(MapSteps, Slices) {
  MapDraft draft = TestDraft();
  const MoveRequest slice = Request("high_2", "s2", "s3");
  const auto at = [](int64_t key) { return KeyBound{{KeyValue(key)}}; };
  EXPECT_EQ(Do(AnnounceSlice(slice, "high", at(130), draft), draft), "");
  EXPECT_EQ(RangesOf(draft), "low@s1 high_2*@s2 high@s2 top@s1 ");
  EXPECT_EQ(draft.distributions[0].ranges[2].lower.values[0], KeyValue(int64_t{130}));
  EXPECT_EQ(Do(Hold(slice, draft), draft), "");
  EXPECT_EQ(Do(Swap(slice, 5, draft), draft), "");
  Join("high_2", "high", "high", draft);  // not of one owner
  EXPECT_EQ(Do(End(slice, draft), draft), "");
  Join("high_2", "high", "high", draft);
  EXPECT_EQ(RangesOf(draft), "low@s1 high_2@s3 high@s2 top@s1 ");

  const MoveRequest next = Request("high_3", "s2", "s3");
  EXPECT_EQ(State(AnnounceSlice(next, "high", at(130), draft)), "40001");  // nothing is below
  EXPECT_EQ(State(AnnounceSlice(next, "high", at(200), draft)), "40001");  // or above
  EXPECT_EQ(State(AnnounceSlice(Request("low", "s2", "s3"), "high", at(160), draft)), "40001");
  EXPECT_EQ(Do(AnnounceSlice(next, "high", at(160), draft), draft), "");
  Join("high_2", "high_3", "high_2", draft);  // it moves
  EXPECT_EQ(RangesOf(draft), "low@s1 high_2@s3 high_3*@s2 high@s2 top@s1 ");
  EXPECT_EQ(Do(Hold(next, draft), draft), "");
  EXPECT_EQ(Do(Swap(next, 6, draft), draft), "");
  EXPECT_EQ(Do(End(next, draft), draft), "");
  Join("high_2", "high_3", "high_2", draft);
  EXPECT_EQ(RangesOf(draft), "low@s1 high_2@s3 high@s2 top@s1 ");

  const MoveRequest last = Request("high", "s2", "s3");
  EXPECT_EQ(Do(Announce(last, draft), draft), "");
  EXPECT_EQ(State(Split("d", "high", at(170), "x", draft)), "55006");
  EXPECT_EQ(Do(Hold(last, draft), draft), "");
  EXPECT_EQ(Do(Swap(last, 7, draft), draft), "");
  EXPECT_EQ(Do(End(last, draft), draft), "");
  Join("high_2", "high", "high", draft);
  EXPECT_EQ(RangesOf(draft), "low@s1 high@s3 top@s1 ");
  EXPECT_EQ(draft.distributions[0].ranges[1].lower.values[0], KeyValue(int64_t{100}));
  EXPECT_TRUE(draft.strays.empty());
}

TEST(MapSteps, WhatMovesIsLeftAlone) {
  MapDraft draft = TestDraft();
  ASSERT_EQ(State(Announce(Request("high", "s2", "s3"), draft)), "");
  const auto bound = BoundText{BoundLiteral{"150", false, 1}};
  EXPECT_EQ(State(Apply(SplitKeyRange{"new", "high", bound}, draft)), "55006");
  EXPECT_EQ(State(Apply(UniteKeyRanges{"low", "high"}, draft)), "55006");
  EXPECT_EQ(State(Apply(CreateKeyRange{"new", bound, "s2", "d"}, draft)), "55006");
  EXPECT_EQ(State(Apply(DropShard{"s3"}, draft)), "55006");
  EXPECT_EQ(State(Apply(AttachTable{"d", {"public", "t"}, {"k"}}, draft)), "55006");
  EXPECT_EQ(State(Apply(SplitKeyRange{"new", "low", {BoundLiteral{"50", false, 1}}}, draft)), "");
  const auto map = BuildMap(Epoch{1}, draft);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(State(RequestMove({"high", "s1", {}}, **map).status()), "55006");
  EXPECT_EQ(State(RequestMove({"low", "s1", {}}, **map).status()), "55000");
  EXPECT_EQ(State(RequestMove({"low", "s9", {}}, **map).status()), "42704");
  EXPECT_EQ(State(RequestMove({"gone", "s1", {}}, **map).status()), "42704");
  MoveKeyRange command{"low", "s2", {}};
  command.options.max_rate = 5;
  const auto request = RequestMove(command, **map);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->source, "s1");
  EXPECT_EQ(request->options.max_rate, 5u);
  EXPECT_TRUE(request->options.verify);
}

}  // namespace
}  // namespace meridian
