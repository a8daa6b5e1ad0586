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

using Loads = std::map<std::string, uint64_t>;  // bytes by shard

Loads LoadsOf(const std::vector<RangeLoad>& ranges, const std::vector<std::string>& shards) {
  Loads loads;
  for (const std::string& shard : shards) loads[shard] = 0;
  for (const RangeLoad& range : ranges) {
    if (loads.contains(range.owner)) loads[range.owner] += range.bytes;
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

std::string Megabytes(uint64_t bytes) { return fmt::format("{} MB", (bytes + 524'288) >> 20); }

class Balancer {
 public:
  Balancer(std::vector<RangeLoad> ranges, const std::vector<std::string>& shards,
           std::set<std::string> names)
      : ranges_(std::move(ranges)), loads_(LoadsOf(ranges_, shards)), names_(std::move(names)) {}

  std::vector<Proposal> Run() {
    if (loads_.size() < 2) return {};
    uint64_t total = 0;
    for (const auto& [shard, bytes] : loads_) total += bytes;
    const uint64_t mean = total / loads_.size();
    const auto slack =
        std::max(kBytesMin, static_cast<uint64_t>(kBalanceSlack * static_cast<double>(mean)));
    while (proposals_.size() < kProposalsMax && Step(slack, mean)) {
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
      if (range.owner != from->first || range.bytes == 0 || moved_.contains(range.range)) continue;
      if (range.bytes <= most) {
        if (fits == nullptr || range.bytes > fits->bytes) fits = &range;
        continue;
      }
      if (range.can_split && (large == nullptr || range.bytes < large->bytes)) large = &range;
      if (range.bytes < difference && (helps == nullptr || range.bytes < helps->bytes)) {
        helps = &range;
      }
    }
    if (large != nullptr && (fits == nullptr || fits->bytes < amount / 2)) return Split(*large);
    RangeLoad* const chosen = fits != nullptr ? fits : helps;
    if (chosen == nullptr || chosen->bytes < slack / 8) return false;
    proposals_.push_back({Proposal::Kind::kMove, chosen->distribution, chosen->range, from->first,
                          to->first, chosen->bytes,
                          fmt::format("{} has {}, {} has {}", from->first, Megabytes(from->second),
                                      to->first, Megabytes(to->second))});
    from->second -= chosen->bytes;
    to->second += chosen->bytes;
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
        {Proposal::Kind::kSplit, range.distribution, range.range, range.owner, name, range.bytes,
         fmt::format("{} is too large to move as a whole", Megabytes(range.bytes))});
    RangeLoad upper = range;
    upper.range = name;
    upper.bytes = range.bytes / 2;
    range.bytes -= upper.bytes;
    ranges_.push_back(std::move(upper));
    return true;
  }

  std::vector<RangeLoad> ranges_;
  Loads loads_;
  std::set<std::string> names_;
  std::set<std::string> moved_;  // ranges
  std::vector<Proposal> proposals_;
};

}  // namespace

std::vector<Proposal> ProposeBalance(std::vector<RangeLoad> ranges,
                                     const std::vector<std::string>& shards,
                                     std::set<std::string> names) {
  return Balancer(std::move(ranges), shards, std::move(names)).Run();
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
    return a->bytes != b->bytes ? a->bytes > b->bytes : a->range < b->range;
  });
  std::vector<Proposal> proposals;
  for (const RangeLoad* const range : mine) {
    const auto to = Emptiest(loads);
    proposals.push_back({Proposal::Kind::kMove, range->distribution, range->range, shard, to->first,
                         range->bytes, fmt::format("{} is drained", shard)});
    to->second += range->bytes;
  }
  return proposals;
}

}  // namespace meridian
