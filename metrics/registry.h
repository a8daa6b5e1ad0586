// All the metrics of the process: owns each worker's set, and knows which shard has which slot.
// Thread-safe; not for the query path (workers keep references to what they write).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metrics/counters.h"

namespace meridian {

// One node of a shard, now.
struct NodeMetrics {
  std::string shard;
  std::string node;  // host:port
  std::string role;  // primary, replica, unknown
  bool used = false;
  uint64_t reads = 0;  // that went to it as a replica
  // Of a replica: how far it is behind its primary, as far as that is known.
  std::optional<double> lag_seconds;
  std::optional<uint64_t> lag_bytes;
};

class MetricsRegistry {
 public:
  MetricsRegistry() = default;
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  // A new worker's set, to be written by one thread; lives as long as the registry. Call it before
  // the worker starts.
  WorkerMetrics& AddWorker();

  // Each member is to be written by one thread.
  ProcessMetrics& process() { return process_; }
  const ProcessMetrics& process() const { return process_; }

  // The slots of these shards, in their order (that of ShardMap::shards()). A name keeps its slot
  // for the life of the process. The control thread calls this for each new shard map and hands the
  // result to the workers together with it.
  std::vector<ShardSlot> SlotsFor(std::span<const std::string> shard_names);

  // The names by slot; the last one, "_other", stands for all names that found no slot of their own
  // and is present only then.
  std::vector<std::string> SlotNames() const;

  // What is known of the nodes: `nodes` is asked at each scrape, on the endpoint's threads.
  void SetNodes(std::function<std::vector<NodeMetrics>()> nodes);
  std::vector<NodeMetrics> Nodes() const;

  // Visits every worker's set, to read from it.
  void ForEachWorker(const std::function<void(const WorkerMetrics&)>& visit) const;

 private:
  ProcessMetrics process_;
  mutable std::mutex mu_;
  std::function<std::vector<NodeMetrics>()> nodes_;      // guarded by mu_
  std::vector<std::unique_ptr<WorkerMetrics>> workers_;  // guarded by mu_
  std::map<std::string, ShardSlot, std::less<>> slots_;  // guarded by mu_
  bool overflowed_ = false;                              // guarded by mu_
};

}  // namespace meridian
