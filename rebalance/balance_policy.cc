#include "rebalance/balance_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Below it nothing is worth a move.
constexpr uint64_t kBytesMin = 1 << 20;
constexpr uint64_t kBusyMin = 20'000;  // microseconds per second

using Loads = std::map<std::string, uint64_t>;  // weight by shard

Loads LoadsOf(const std::vector<RangeLoad>& ranges, const std::vector<std::string>& shards) {
  Loads loads;
  for (const std::string& shard : shards) loads[shard] = 0;
  for (const RangeLoad& range : ranges) {
    if (loads.contains(range.owner)) loads[range.owner] += range.weight;
  }
  return loads;
}

Loads::iterator Emptiest(Loads& loads) {
  return std::min_element(loads.begin(), loads.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; });
}

Loads::iterator Fullest(Loads& loads) {
  return std::max_element(loads.begin(), loads.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; });
}

std::string Text(uint64_t weight, Measure measure) {
  return measure == Measure::kBytes ? fmt::format("{} MB", (weight + 524'288) >> 20)
                                    : fmt::format("{} ms/s", weight / 1000);
}

class Balancer {
 public:
  Balancer(std::vector<RangeLoad> ranges, const std::vector<std::string>& shards,
           std::set<std::string> names, BalanceOptions options)
      : ranges_(std::move(ranges)),
        loads_(LoadsOf(ranges_, shards)),
        names_(std::move(names)),
        options_(options) {}

  std::vector<Proposal> Run() {
    if (loads_.size() < 2) return {};
    uint64_t total = 0;
    for (const auto& [shard, weight] : loads_) total += weight;
    const uint64_t mean = total / loads_.size();
    const uint64_t least = options_.measure == Measure::kBytes ? kBytesMin : kBusyMin;
    const auto slack =
        std::max(least, static_cast<uint64_t>(options_.slack * static_cast<double>(mean)));
    while (proposals_.size() < kProposalsMax && Step(slack, mean)) {
    }
    // A split after which nothing moves is good for nothing.
    while (!proposals_.empty() && proposals_.back().kind == Proposal::Kind::kSplit) {
      proposals_.pop_back();
    }
    return std::move(proposals_);
  }

 private:
  // One move from the fullest to the emptiest shard, or the split that makes one possible. No more
  // than the one has above the mean, or the other lacks of it: so nothing moves twice.
  bool Step(uint64_t slack, uint64_t mean) {
    const auto from = Fullest(loads_);
    const auto to = Emptiest(loads_);
    const uint64_t difference = from->second - to->second;
    if (difference <= slack) return false;
    const uint64_t amount = std::min(from->second - mean, mean - to->second);
    const uint64_t most = amount + slack / 4;
    RangeLoad* fits = nullptr;   // the largest that is not too much
    RangeLoad* large = nullptr;  // the smallest that is, and can be split
    RangeLoad* helps = nullptr;  // the smallest that at least makes the fullest less full
    for (RangeLoad& range : ranges_) {
      if (range.owner != from->first || range.weight == 0 || moved_.contains(range.range)) continue;
      if (range.weight <= most) {
        if (fits == nullptr || range.weight > fits->weight) fits = &range;
        continue;
      }
      if (range.can_split && (large == nullptr || range.weight < large->weight)) large = &range;
      if (range.weight < difference && (helps == nullptr || range.weight < helps->weight)) {
        helps = &range;
      }
    }
    if (large != nullptr && (fits == nullptr || fits->weight < amount / 2)) return Split(*large);
    RangeLoad* const chosen = fits != nullptr ? fits : helps;
    if (chosen == nullptr || chosen->weight < slack / 8) return false;
    proposals_.push_back(
        {Proposal::Kind::kMove, chosen->distribution, chosen->range, from->first, to->first,
         chosen->weight,
         fmt::format("{} has {}, {} has {}", from->first, Text(from->second, options_.measure),
                     to->first, Text(to->second, options_.measure))});
    from->second -= chosen->weight;
    to->second += chosen->weight;
    chosen->owner = to->first;
    moved_.insert(chosen->range);
    return true;
  }

  bool Split(RangeLoad& range) {
    std::string name;
    for (size_t n = 2; name.empty() || names_.contains(name); ++n) {
      name = fmt::format("{}_{}", range.range, n);
    }
    names_.insert(name);
    proposals_.push_back(
        {Proposal::Kind::kSplit, range.distribution, range.range, range.owner, name, range.weight,
         fmt::format("{} is too much to move as a whole", Text(range.weight, options_.measure))});
    proposals_.back().at = range.middle;
    if (range.middle) range.can_split = false;
    RangeLoad upper = range;
    upper.range = name;
    upper.weight = range.weight / 2;
    range.weight -= upper.weight;
    ranges_.push_back(std::move(upper));
    return true;
  }

  std::vector<RangeLoad> ranges_;
  Loads loads_;
  std::set<std::string> names_;
  const BalanceOptions options_;
  std::set<std::string> moved_;  // ranges
  std::vector<Proposal> proposals_;
};

}  // namespace

std::vector<Proposal> ProposeBalance(std::vector<RangeLoad> ranges,
                                     const std::vector<std::string>& shards,
                                     std::set<std::string> names, BalanceOptions options) {
  return Balancer(std::move(ranges), shards, std::move(names), options).Run();
}

absl::StatusOr<std::vector<Proposal>> ProposeDrain(const std::vector<RangeLoad>& ranges,
                                                   const std::vector<std::string>& shards,
                                                   const std::string& shard) {
  Loads loads = LoadsOf(ranges, shards);
  loads.erase(shard);
  std::vector<const RangeLoad*> mine;
  for (const RangeLoad& range : ranges) {
    if (range.owner == shard) mine.push_back(&range);
  }
  if (loads.empty() && !mine.empty()) {
    return SqlStatus(
        sqlstate::kObjectNotInPrerequisiteState,
        fmt::format("there is no other shard that could take the ranges of \"{}\"", shard),
        "CREATE SHARD adds one.");
  }
  std::sort(mine.begin(), mine.end(), [](const RangeLoad* a, const RangeLoad* b) {
    return a->weight != b->weight ? a->weight > b->weight : a->range < b->range;
  });
  std::vector<Proposal> proposals;
  for (const RangeLoad* const range : mine) {
    const auto to = Emptiest(loads);
    proposals.push_back({Proposal::Kind::kMove, range->distribution, range->range, shard, to->first,
                         range->weight, fmt::format("{} is drained", shard)});
    to->second += range->weight;
  }
  return proposals;
}

}  // namespace meridian
