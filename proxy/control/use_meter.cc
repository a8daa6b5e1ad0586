#include "proxy/control/use_meter.h"

#include <cmath>
#include <utility>

namespace meridian {
namespace {

// Of a range that had more.
constexpr double kStatementsMin = 0.01;

}  // namespace

void UseMeter::Add(RangeUseReport report, double seconds) {
  if (seconds <= 0) return;
  shards_.push_back(std::move(report.shards));
  if (shards_.size() > kUsualReports) shards_.pop_front();
  const double fades = std::exp(-seconds / kLoadSeconds);
  const double counts = (1 - fades) * RangeUse::kSampled / seconds;
  for (auto& [name, load] : loads_) {
    load.statements_per_s *= fades;
    load.busy_us_per_s *= fades;
  }
  for (auto& [name, range] : report.ranges) {
    Load& load = loads_[name];
    load.statements_per_s += counts * static_cast<double>(range.statements);
    load.busy_us_per_s += counts * static_cast<double>(range.time_us);
    for (RangeUseReport::Key& key : range.keys) load.keys.push_back(std::move(key));
    while (load.keys.size() > kKeysKept) load.keys.pop_front();
  }
  std::erase_if(loads_,
                [](const auto& entry) { return entry.second.statements_per_s < kStatementsMin; });
}

std::map<std::string, UseMeter::Latency> UseMeter::Latencies() const {
  std::map<std::string, Latency> latencies;
  for (size_t i = 0; i < shards_.size(); ++i) {
    for (const auto& [name, totals] : shards_[i]) {
      Latency& latency = latencies[name];
      latency.usual.Add(totals);
      if (i + kRecentReports >= shards_.size()) latency.recent.Add(totals);
    }
  }
  return latencies;
}

}  // namespace meridian
