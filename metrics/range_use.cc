#include "metrics/range_use.h"

#include <utility>

namespace meridian {

void RangeUseReport::Add(const RangeUseReport& other) {
  for (const auto& [name, range] : other.ranges) {
    Range& sum = ranges[name];
    sum.statements += range.statements;
    sum.time_us += range.time_us;
    for (const Key& key : range.keys) {
      if (sum.keys.size() < kKeys) sum.keys.push_back(key);
    }
  }
  for (const auto& [name, totals] : other.shards) shards[name].Add(totals);
}

bool RangeUse::Add(std::string_view range, std::string_view shard, uint64_t microseconds) {
  auto latency = report_.shards.find(shard);
  if (latency == report_.shards.end()) {
    latency = report_.shards.emplace(shard, HistogramTotals{}).first;
  }
  latency->second.Record(microseconds);
  auto found = report_.ranges.find(range);
  if (found == report_.ranges.end()) {
    if (report_.ranges.size() >= kRangesMax) return false;
    found = report_.ranges.emplace(range, RangeUseReport::Range{}).first;
  }
  ++found->second.statements;
  found->second.time_us += microseconds;
  return found->second.keys.size() < RangeUseReport::kKeys;
}

void RangeUse::AddKey(std::string_view range, RangeUseReport::Key key) {
  const auto found = report_.ranges.find(range);
  if (found != report_.ranges.end()) found->second.keys.push_back(std::move(key));
}

RangeUseReport RangeUse::Take() { return std::exchange(report_, {}); }

}  // namespace meridian
