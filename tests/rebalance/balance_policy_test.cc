#include "rebalance/balance_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "rebalance/range_loads.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kMb = 1 << 20;

std::string Text(const Proposal& proposal) {
  return (proposal.kind == Proposal::Kind::kSplit ? "split " : "move ") + proposal.range + " " +
         proposal.to;
}

std::vector<std::string> Texts(const std::vector<Proposal>& proposals) {
  std::vector<std::string> texts;
  for (const Proposal& proposal : proposals) texts.push_back(Text(proposal));
  return texts;
}

std::set<std::string> NamesOf(const std::vector<RangeLoad>& ranges) {
  std::set<std::string> names;
  for (const RangeLoad& range : ranges) names.insert(range.range);
  return names;
}

TEST(BalancePolicy, LeavesAloneWhatIsAlike) {
  EXPECT_THAT(ProposeBalance({}, {"s1"}, {}), IsEmpty());
  EXPECT_THAT(ProposeBalance({{"d", "a", "s1", 100 * kMb}}, {"s1"}, {"a"}), IsEmpty());
  EXPECT_THAT(ProposeBalance({{"d", "a", "s1", 100 * kMb}, {"d", "b", "s2", 90 * kMb}},
                             {"s1", "s2"}, {"a", "b"}),
              IsEmpty());
  // A few bytes are not worth it.
  EXPECT_THAT(
      ProposeBalance({{"d", "a", "s1", 1000}, {"d", "b", "s1", 1000}}, {"s1", "s2"}, {"a", "b"}),
      IsEmpty());
  // It would only change places.
  EXPECT_THAT(ProposeBalance({{"d", "a", "s1", 100 * kMb}}, {"s1", "s2"}, {"a"}), IsEmpty());
}

TEST(BalancePolicy, ByLoadWithAThreshold) {
  const std::vector<RangeLoad> ranges{{"d", "a", "s1", 300'000}, {"d", "b", "s1", 250'000}};
  const auto moves = ProposeBalance(ranges, {"s1", "s2"}, {"a", "b"}, {Measure::kLoad, 0.2});
  EXPECT_THAT(Texts(moves), ElementsAre("move b s2"));
  EXPECT_EQ(moves[0].reason, "s1 has 550 ms/s, s2 has 0 ms/s");
  EXPECT_THAT(ProposeBalance(ranges, {"s1", "s2"}, {"a", "b"}, {Measure::kLoad, 3.0}), IsEmpty());
  // Hardly any work is not worth it, many bytes would be.
  const std::vector<RangeLoad> idle{{"d", "a", "s1", 9'000}, {"d", "b", "s1", 9'000}};
  EXPECT_THAT(ProposeBalance(idle, {"s1", "s2"}, {"a", "b"}, {Measure::kLoad, 0.2}), IsEmpty());
}

// Where the middle is known by a sample, the halves are not cut again before they are measured.
TEST(BalancePolicy, SplitsAtTheMiddleOnce) {
  const KeyBound middle{{KeyValue(int64_t{7})}};
  const auto proposals =
      ProposeBalance({{"d", "a", "s1", 400 * kMb, true, middle}}, {"s1", "s2", "s3", "s4"}, {"a"});
  EXPECT_THAT(Texts(proposals), ElementsAre("split a a_2", "move a s2"));
  ASSERT_TRUE(proposals[0].at.has_value());
  EXPECT_EQ(proposals[0].at->values[0], KeyValue(int64_t{7}));
}

std::string Middle(const std::vector<std::vector<int64_t>>& keys) {
  std::vector<KeyTuple> tuples;
  for (const auto& key : keys) tuples.emplace_back(key.begin(), key.end());
  const auto middle = MiddleOfKeys(std::move(tuples));
  if (!middle) return "-";
  std::string text;
  for (const KeyValue& value : middle->values) text += FormatKey(KeyType::kBigint, value) + " ";
  return text;
}

TEST(MiddleOfKeys, DividesWhatIsUsed) {
  EXPECT_EQ(Middle({}), "-");
  EXPECT_EQ(Middle({{5}, {5}, {5}}), "-");
  EXPECT_EQ(Middle({{9}, {1}, {5}, {3}}), "5 ");
  EXPECT_EQ(Middle({{1}, {1}, {1}, {8}}), "8 ");  // the first is hot: it stays alone below
  EXPECT_EQ(Middle({{1, 4}, {2, 1}, {2, 3}, {3, 1}}), "2 ");
  EXPECT_EQ(Middle({{2, 4}, {2, 1}, {2, 3}, {2, 9}}), "2 4 ");
}

TEST(BalancePolicy, FillsANewShard) {
  std::vector<RangeLoad> ranges;
  for (int i = 0; i < 6; ++i) {
    ranges.push_back({"d", "r" + std::to_string(i), i < 3 ? "s1" : "s2", 100 * kMb});
  }
  const auto proposals = ProposeBalance(ranges, {"s1", "s2", "s3"}, NamesOf(ranges));
  std::map<std::string, int> moved;
  for (const Proposal& proposal : proposals) {
    EXPECT_EQ(proposal.kind, Proposal::Kind::kMove);
    EXPECT_EQ(proposal.to, "s3");
    ++moved[proposal.from];
  }
  EXPECT_EQ(moved, (std::map<std::string, int>{{"s1", 1}, {"s2", 1}}));
}

TEST(BalancePolicy, SplitsWhatIsTooLarge) {
  EXPECT_THAT(
      Texts(ProposeBalance({{"d", "a", "s1", 400 * kMb, true}}, {"s1", "s2"}, {"a", "a_2"})),
      ElementsAre("split a a_3", "move a s2"));
  const auto four =
      ProposeBalance({{"d", "a", "s1", 400 * kMb, true}}, {"s1", "s2", "s3", "s4"}, {"a"});
  EXPECT_EQ(std::count_if(four.begin(), four.end(),
                          [](const auto& p) { return p.kind == Proposal::Kind::kMove; }),
            3);
}

// Whatever the shares were, carried out in order: nothing moves twice, and the shards have alike
// much.
TEST(BalancePolicy, OnceIsEnough) {
  for (uint64_t seed = 1; seed < 60; ++seed) {
    std::vector<std::string> shards;
    for (uint64_t i = 0; i < 2 + seed % 5; ++i) shards.push_back("s" + std::to_string(i));
    std::vector<RangeLoad> ranges;
    for (uint64_t i = 0; i < 1 + seed % 9; ++i) {
      ranges.push_back({"d", "r" + std::to_string(i), shards[i * seed % shards.size()],
                        (50 + seed * (i + 3) * 7919 % 500) * kMb, true});
    }
    std::map<std::string, RangeLoad> after;
    for (const RangeLoad& range : ranges) after[range.range] = range;
    std::set<std::string> moved;
    for (const Proposal& proposal : ProposeBalance(ranges, shards, NamesOf(ranges))) {
      RangeLoad& range = after.at(proposal.range);
      EXPECT_EQ(range.owner, proposal.from);
      EXPECT_FALSE(moved.contains(proposal.range));
      if (proposal.kind == Proposal::Kind::kSplit) {
        RangeLoad upper = range;
        upper.range = proposal.to;
        upper.weight = range.weight / 2;
        range.weight -= upper.weight;
        ASSERT_TRUE(after.emplace(upper.range, upper).second);
      } else {
        range.owner = proposal.to;
        moved.insert(proposal.range);
      }
    }
    std::map<std::string, uint64_t> loads;
    for (const std::string& shard : shards) loads[shard] = 0;
    uint64_t total = 0;
    for (const auto& [name, range] : after) {
      loads[range.owner] += range.weight;
      total += range.weight;
    }
    const auto [least, most] = std::minmax_element(
        loads.begin(), loads.end(), [](auto& a, auto& b) { return a.second < b.second; });
    EXPECT_LE(static_cast<double>(most->second - least->second),
              2 * BalanceOptions{}.slack * static_cast<double>(total / shards.size()))
        << seed;
  }
}

TEST(BalancePolicy, ComesToAnEnd) {
  std::vector<RangeLoad> ranges;
  std::vector<std::string> shards;
  for (int i = 0; i < 300; ++i) {
    ranges.push_back({"d", "r" + std::to_string(i), "s0", (1 + i * 7919 % 500) * kMb, true});
  }
  for (int i = 0; i < 20; ++i) shards.push_back("s" + std::to_string(i));
  EXPECT_LE(ProposeBalance(ranges, shards, NamesOf(ranges)).size(), kProposalsMax);
}

TEST(BalancePolicy, DrainsAShard) {
  const std::vector<RangeLoad> ranges = {{"d", "small", "s1", 10 * kMb},
                                         {"d", "large", "s1", 300 * kMb},
                                         {"d", "empty", "s1", 0},
                                         {"d", "other", "s2", 100 * kMb},
                                         {"d", "third", "s3", 200 * kMb}};
  const auto proposals = ProposeDrain(ranges, {"s1", "s2", "s3"}, "s1");
  ASSERT_TRUE(proposals.ok());
  EXPECT_THAT(Texts(*proposals), ElementsAre("move large s2", "move small s3", "move empty s3"));
  EXPECT_THAT(*ProposeDrain(ranges, {"s1", "s2", "s3", "s4"}, "s4"), IsEmpty());
  const auto alone = ProposeDrain({{"d", "a", "s1", 1}}, {"s1"}, "s1");
  EXPECT_EQ(ToSqlError(alone.status()).sqlstate, "55000");
}

}  // namespace
}  // namespace meridian
