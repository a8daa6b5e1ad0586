// Puts what the control threads learn together to snapshots, and hands them out in order.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "metrics/registry.h"
#include "proxy/control/node_monitor.h"
#include "proxy/control/snapshot.h"

namespace meridian {

// Thread-safe. The listener is called under the lock, so that all see the same order.
class SnapshotPublisher {
 public:
  // All outlive this object.
  SnapshotPublisher(SnapshotListener& listener, MetricsRegistry& metrics, NodeMonitor& monitor);

  std::shared_ptr<const Snapshot> Current() const;

  // For the metrics.
  std::vector<NodeMetrics> Nodes() const;

  // Each publishes where something has changed. A map whose epoch is not newer is ignored.
  void SetMap(std::shared_ptr<const ShardMap> map);
  // Takes the monitor's States.
  void UpdateNodes();
  void SetSchema(std::shared_ptr<const Schema> schema, const std::string& database);
  void SetRoles(std::shared_ptr<const Roles> roles);

 private:
  // With mu_ held: gives `next` the next version and hands it out.
  void Publish(Snapshot next);
  // With mu_ held.
  void CountPrimaries(const ShardMap& map, const NodeStates& nodes);

  // What is counted of a shard's primaries.
  struct Primaries {
    std::optional<NodeAddress> last;
    uint64_t missing_since_us = 0;  // 0: there is one
  };

  SnapshotListener& listener_;
  MetricsRegistry& metrics_;
  NodeMonitor& monitor_;
  mutable std::mutex mu_;
  std::shared_ptr<const Snapshot> current_;  // guarded by mu_, never null
  StringMap<Primaries> primaries_;           // guarded by mu_; by shard
};

}  // namespace meridian
