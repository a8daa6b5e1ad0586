// The metrics without labels of their own: one row per member of counters.h.
#pragma once

#include <span>
#include <string_view>

#include "metrics/counters.h"

namespace meridian {

inline constexpr double kSecondsPerMicrosecond = 1e-6;

// How a cell is read: as a counter, a counter of microseconds shown in seconds, or a gauge.
template <typename Owner>
struct Metric {
  std::string_view name;
  std::string_view help;
  double (*read)(const Owner&);
  bool gauge;
};

// Summed over the workers.
std::span<const Metric<WorkerMetrics>> WorkerMetricTable();
// Summed over the workers, one sample per shard.
std::span<const Metric<ShardMetrics>> ShardMetricTable();
std::span<const Metric<ProcessMetrics>> ProcessMetricTable();

}  // namespace meridian
