// Checks each node of the shard map at an interval, on a thread per node: a node that hangs in a
// connect or a query delays nobody else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "proxy/control/node_states.h"
#include "sharding/admin/shard_access.h"
#include "sharding/shard_map.h"
#include "sharding/string_map.h"

namespace meridian {

// Thread-safe.
class NodeMonitor {
 public:
  // `on_change` is called on the nodes' threads, without a lock held, whenever States may have
  // changed or a node was checked for the first time. It must not call Stop.
  NodeMonitor(ShardAccess access, std::chrono::milliseconds interval,
              std::function<void()> on_change);
  ~NodeMonitor();  // Stop()
  NodeMonitor(const NodeMonitor&) = delete;
  NodeMonitor& operator=(const NodeMonitor&) = delete;

  // Watches the nodes of this map from now on, those and no others. Nodes that stay keep their
  // state. Does not wait for threads of nodes that are gone.
  void Watch(const ShardMap& map);

  // Parallel to map.shards(). Nodes that are not watched or not checked yet are unknown.
  NodeStates States(const ShardMap& map);

  // Whether each node of the map was checked at least once.
  bool CheckedAll(const ShardMap& map) const;

  // Called on the nodes' threads after each sample, without a lock held. Before the first Watch.
  void SetOnSample(std::function<void()> on_sample) { on_sample_ = std::move(on_sample); }

  // Has all nodes checked now.
  void CheckNow();
  void SetInterval(std::chrono::milliseconds interval);
  // Replicas that are further behind are not used.
  void SetReplicaLagMax(std::chrono::milliseconds lag_max);

  // Ends all threads and waits for them. Any number of times.
  void Stop();

 private:
  struct Node;
  using NodeKey = std::pair<NodeAddress, std::string>;  // address, database

  NodeKey KeyOf(const Shard& shard, const NodeAddress& address) const;
  // With mu_ held.
  bool CheckedAllOf(const Shard& shard) const;
  void Run(const std::stop_token& stop, Node& node);
  // Takes over what the check found; logs what an operator wants to know. Whether it is news.
  bool Note(Node& node, NodeState state);
  // With mu_ held: what the check has found of the node's log. `asked_us`: when it was asked.
  void NoteSample(Node& node, Lsn lsn, uint64_t asked_us);
  // Waits for the interval or CheckNow, of which `seen` are done.
  void WaitForTurn(const std::stop_token& stop, uint64_t& seen);

  const ShardAccess access_;
  const std::function<void()> on_change_;
  std::function<void()> on_sample_;
  mutable std::mutex mu_;
  std::condition_variable_any wake_;
  // Guarded by mu_.
  std::chrono::milliseconds interval_;
  std::chrono::milliseconds replica_lag_max_{30'000};
  uint64_t checks_wanted_ = 0;  // grows with CheckNow
  bool stopped_ = false;
  std::map<NodeKey, std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Node>> leaving_;  // asked to stop, to be joined by Stop
  StringMap<ShardNodes> before_;                // by shard, what ChooseRoles gave last
};

}  // namespace meridian
