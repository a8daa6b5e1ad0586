// Which ranges go where, so that the shards have alike much: what REBALANCE and DRAIN SHARD
// propose. Pure.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace meridian {

struct RangeLoad {
  std::string distribution;
  std::string range;
  std::string owner;
  uint64_t bytes = 0;
  bool can_split = false;  // in two halves of alike many bytes
};

struct Proposal {
  enum class Kind { kSplit, kMove };
  Kind kind = Kind::kMove;
  std::string distribution;
  std::string range;  // that moves, or is split
  std::string from;   // its owner
  std::string to;     // kMove: the new one; kSplit: the name of the upper half
  uint64_t bytes = 0;
  std::string reason;
};

// In the order in which they are to be done. Nothing is proposed where the fullest and the emptiest
// shard differ by less than `slack` of the mean: each move costs something.
inline constexpr double kBalanceSlack = 0.2;
inline constexpr size_t kProposalsMax = 200;
// `names`: those that ranges have, of whatever distribution.
std::vector<Proposal> ProposeBalance(std::vector<RangeLoad> ranges,
                                     const std::vector<std::string>& shards,
                                     std::set<std::string> names);

// All ranges of the shard to the others, each to the emptiest then. 55000 where there is no other.
absl::StatusOr<std::vector<Proposal>> ProposeDrain(const std::vector<RangeLoad>& ranges,
                                                   const std::vector<std::string>& shards,
                                                   const std::string& shard);

}  // namespace meridian
