#include "metrics/registry.h"

#include <utility>

namespace meridian {

WorkerMetrics& MetricsRegistry::AddWorker() {
  auto metrics = std::make_unique<WorkerMetrics>();
  const std::lock_guard lock(mu_);
  return *workers_.emplace_back(std::move(metrics));
}

std::vector<ShardSlot> MetricsRegistry::SlotsFor(std::span<const std::string> shard_names) {
  const std::lock_guard lock(mu_);
  std::vector<ShardSlot> slots;
  slots.reserve(shard_names.size());
  for (const std::string& name : shard_names) {
    const auto known = slots_.find(name);
    if (known != slots_.end()) {
      slots.push_back(known->second);
    } else if (slots_.size() < kShardSlots) {
      slots.push_back(static_cast<ShardSlot>(slots_.size()));
      slots_.emplace(name, slots.back());
    } else {
      overflowed_ = true;
      slots.push_back(kOtherShardsSlot);
    }
  }
  return slots;
}

std::vector<std::string> MetricsRegistry::SlotNames() const {
  const std::lock_guard lock(mu_);
  std::vector<std::string> names(slots_.size());
  for (const auto& [name, slot] : slots_) names[slot] = name;
  if (overflowed_) names.push_back("_other");  // slots_ is full: this is kOtherShardsSlot
  return names;
}

void MetricsRegistry::SetNodes(std::function<std::vector<NodeMetrics>()> nodes) {
  const std::lock_guard lock(mu_);
  nodes_ = std::move(nodes);
}

std::vector<NodeMetrics> MetricsRegistry::Nodes() const {
  std::function<std::vector<NodeMetrics>()> nodes;
  {
    const std::lock_guard lock(mu_);
    nodes = nodes_;
  }
  return nodes ? nodes() : std::vector<NodeMetrics>();
}

void MetricsRegistry::ForEachWorker(const std::function<void(const WorkerMetrics&)>& visit) const {
  const std::lock_guard lock(mu_);
  for (const auto& worker : workers_) visit(*worker);
}

}  // namespace meridian
