// Which ranges go where, so that the shards have alike much: what REBALANCE and DRAIN SHARD
// propose. Pure.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sharding/shard_map.h"

namespace meridian {

enum class Measure { kBytes, kLoad };

struct RangeLoad {
  std::string distribution;
  std::string range;
  std::string owner;
  uint64_t weight = 0;     // bytes; or microseconds of statements per second
  bool can_split = false;  // in two halves of alike much
  // Where, as far as it is known: then the halves cannot be split again.
  std::optional<KeyBound> middle = std::nullopt;
};

struct Proposal {
  enum class Kind { kSplit, kMove };
  Kind kind = Kind::kMove;
  std::string distribution;
  std::string range;  // that moves, or is split
  std::string from;   // its owner
  std::string to;     // kMove: the new one; kSplit: the name of the upper half
  uint64_t weight = 0;
  std::string reason;
  std::optional<KeyBound> at = std::nullopt;  // kSplit, as far as it is known
};

struct BalanceOptions {
  Measure measure = Measure::kBytes;
  // Nothing is proposed where the fullest and the emptiest shard differ by less than this part of
  // the mean: each move costs something.
  double slack = 0.2;
};

// In the order in which they are to be done. `names`: those that ranges have, of whatever
// distribution.
inline constexpr size_t kProposalsMax = 200;
std::vector<Proposal> ProposeBalance(std::vector<RangeLoad> ranges,
                                     const std::vector<std::string>& shards,
                                     std::set<std::string> names, BalanceOptions options = {});

// All ranges of the shard to the others, each to the emptiest then. 55000 where there is no other.
absl::StatusOr<std::vector<Proposal>> ProposeDrain(const std::vector<RangeLoad>& ranges,
                                                   const std::vector<std::string>& shards,
                                                   const std::string& shard);

}  // namespace meridian
