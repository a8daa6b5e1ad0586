#include "proxy/pool/replica_choice.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace meridian {
namespace {

std::map<size_t, int> ChooseOften(std::vector<ReplicaCandidate> candidates, bool busy = false) {
  ReplicaChoice choice(7);
  std::map<size_t, int> chosen;
  for (int i = 0; i < 9'000; ++i) {
    const size_t node = choice.Choose(candidates).node;
    ++chosen[node];
    if (busy) ++candidates[node].load;
  }
  return chosen;
}

TEST(ReplicaChoice, IsEvenWhereNothingDiffers) {
  for (const bool busy : {false, true}) {
    const auto chosen = ChooseOften({{.node = 0}, {.node = 1}, {.node = 2}}, busy);
    for (const size_t node : {0, 1, 2}) EXPECT_NEAR(chosen.at(node), 3'000, busy ? 10 : 300);
  }
  EXPECT_EQ(ChooseOften({{.node = 4, .load = 9}}).at(4), 9'000);
}

TEST(ReplicaChoice, FollowsWeights) {
  for (const bool busy : {false, true}) {
    const auto chosen = ChooseOften({{.node = 0, .weight = 1}, {.node = 1, .weight = 2}}, busy);
    EXPECT_NEAR(chosen.at(0), 3'000, busy ? 20 : 300);
  }
}

TEST(ReplicaChoice, AvoidsTheBusyOne) {
  const auto chosen = ChooseOften({{.node = 0, .load = 50}, {.node = 1}, {.node = 2}});
  EXPECT_NEAR(chosen.at(0), 1'000, 200);  // drawn twice
}

}  // namespace
}  // namespace meridian
