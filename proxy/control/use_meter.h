// Samples of what clients do (metrics/range_use.h), put together over time. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "metrics/range_use.h"

namespace meridian {

class UseMeter {
 public:
  struct Latency {
    HistogramTotals recent;  // of the last kRecentReports
    HistogramTotals usual;   // of the last kUsualReports
  };
  struct Load {
    double statements_per_s = 0;
    double busy_us_per_s = 0;
    std::deque<RangeUseReport::Key> keys;  // the newest kKeysKept
  };
  static constexpr size_t kKeysKept = 64;
  static constexpr size_t kRecentReports = 2;
  static constexpr size_t kUsualReports = 30;
  // Load is that of so long, about.
  static constexpr double kLoadSeconds = 30;

  // `seconds`: since the last report.
  void Add(RangeUseReport report, double seconds);

  std::map<std::string, Latency> Latencies() const;
  // Without those that nobody uses any more.
  const std::map<std::string, Load>& Loads() const { return loads_; }

 private:
  std::deque<std::map<std::string, HistogramTotals, std::less<>>> shards_;
  std::map<std::string, Load> loads_;
};

}  // namespace meridian
