// What a sample of the clients' statements did with which key range, and how long each shard took:
// for SHOW LOAD, for balancing by load, and so that moves slow down where clients suffer.
//
// Each worker has a RangeUse, used on its thread only; a report is a value.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/histogram.h"

namespace meridian {

struct RangeUseReport {
  // A key as a point of the key space: the text of each component.
  using Key = std::vector<std::string>;
  struct Range {
    uint64_t statements = 0;  // of the sample
    uint64_t time_us = 0;     // theirs
    std::vector<Key> keys;    // at most kKeys
  };
  static constexpr size_t kKeys = 16;

  std::map<std::string, Range, std::less<>> ranges;
  std::map<std::string, HistogramTotals, std::less<>> shards;  // how long their statements took

  void Add(const RangeUseReport& other);
};

class RangeUse {
 public:
  // One statement of so many is looked at.
  static constexpr uint64_t kSampled = 8;
  // Ranges beyond are not counted until the next report.
  static constexpr size_t kRangesMax = 4096;

  // Whether the range's key is wanted, too: AddKey.
  bool Add(std::string_view range, std::string_view shard, uint64_t microseconds);
  void AddKey(std::string_view range, RangeUseReport::Key key);
  // What has come since the last call.
  RangeUseReport Take();

 private:
  RangeUseReport report_;
};

}  // namespace meridian
