#include "proxy/control/node_monitor.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "metrics/log.h"
#include "proxy/control/default_shard.h"
#include "proxy/control/node_check.h"
#include "proxy/control/steady_clock.h"

namespace meridian {
namespace {

constexpr char kNotChecked[] = "not checked yet";

void LogShard(const std::string& shard, const ShardNodes& before, const ShardNodes& now) {
  const NodeState* const primary = now.Primary();
  const NodeState* const was = before.Primary();
  if (primary != nullptr && (was == nullptr || was->address != primary->address)) {
    LogInfo(
        "primary of shard",
        {{"shard", shard}, {"node", primary->address.ToString()}, {"timeline", primary->timeline}});
  }
  if (now.last_error != before.last_error && !now.last_error.empty()) {
    LogWarning("shard cannot be written", {{"shard", shard}, {"error", now.last_error}});
  }
}

}  // namespace

struct NodeMonitor::Node {
  PgTarget target;
  std::string shard;
  const std::shared_ptr<NodeSamples> samples = std::make_shared<NodeSamples>();
  // Guarded by the monitor's mu_.
  NodeState state;
  bool checked = false;
  bool finished = false;  // the thread does nothing more
  WalHistory history;     // while it is the primary
  ReplicaHealth health;
  // Last, so that it ends before what it uses.
  std::jthread thread;
};

NodeMonitor::NodeMonitor(ShardAccess access, std::chrono::milliseconds interval,
                         std::function<void()> on_change)
    : access_(std::move(access)), on_change_(std::move(on_change)), interval_(interval) {}

NodeMonitor::~NodeMonitor() { Stop(); }

NodeMonitor::NodeKey NodeMonitor::KeyOf(const Shard& shard, const NodeAddress& address) const {
  return {address, shard.dbname.empty() ? access_.login.dbname : shard.dbname};
}

void NodeMonitor::Watch(const ShardMap& map) {
  const std::lock_guard lock(mu_);
  if (stopped_) return;
  std::erase_if(leaving_, [](const auto& node) { return node->finished; });
  std::map<NodeKey, std::unique_ptr<Node>> kept;
  for (const Shard& shard : map.shards()) {
    for (const NodeAddress& address : shard.nodes) {
      NodeKey key = KeyOf(shard, address);
      if (kept.contains(key)) continue;
      if (auto found = nodes_.extract(key)) {
        kept.insert(std::move(found));
        continue;
      }
      auto node = std::make_unique<Node>();
      node->shard = shard.name;
      node->target = ForReading(TargetOf(access_, shard, address));
      // A node that takes long to say what it is, is not well.
      node->target.statement_timeout = node->target.connect_timeout;
      node->state.address = address;
      node->state.dbname = key.second;
      node->state.last_error = kNotChecked;
      node->state.samples = node->samples;
      node->thread =
          std::jthread([this, &n = *node](const std::stop_token& stop) { Run(stop, n); });
      kept.emplace(std::move(key), std::move(node));
    }
  }
  for (auto& [key, node] : nodes_) {
    node->thread.request_stop();
    leaving_.push_back(std::move(node));
  }
  nodes_ = std::move(kept);
}

NodeStates NodeMonitor::States(const ShardMap& map) {
  const std::lock_guard lock(mu_);
  NodeStates states;
  StringMap<ShardNodes> now;
  for (const Shard& shard : map.shards()) {
    std::vector<NodeState> nodes;
    for (const NodeAddress& address : shard.nodes) {
      const NodeKey key = KeyOf(shard, address);
      const auto found = nodes_.find(key);
      if (found != nodes_.end()) {
        nodes.push_back(found->second->state);
      } else {
        NodeState& unknown = nodes.emplace_back();
        unknown.address = address;
        unknown.dbname = key.second;
        unknown.last_error = kNotChecked;
      }
    }
    const ShardNodes& before = before_[shard.name];
    ShardNodes chosen = ChooseRoles(std::move(nodes), before);
    if (CheckedAllOf(shard)) LogShard(shard.name, before, chosen);
    now.emplace(shard.name, chosen);
    states.shards.push_back(std::move(chosen));
  }
  before_ = std::move(now);
  return states;
}

bool NodeMonitor::CheckedAllOf(const Shard& shard) const {
  return std::all_of(shard.nodes.begin(), shard.nodes.end(), [&](const NodeAddress& address) {
    const auto found = nodes_.find(KeyOf(shard, address));
    return found != nodes_.end() && found->second->checked;
  });
}

bool NodeMonitor::CheckedAll(const ShardMap& map) const {
  const std::lock_guard lock(mu_);
  return std::all_of(map.shards().begin(), map.shards().end(),
                     [&](const Shard& shard) { return CheckedAllOf(shard); });
}

void NodeMonitor::CheckNow() {
  const std::lock_guard lock(mu_);
  ++checks_wanted_;
  wake_.notify_all();
}

void NodeMonitor::SetInterval(std::chrono::milliseconds interval) {
  const std::lock_guard lock(mu_);
  interval_ = interval;
  ++checks_wanted_;
  wake_.notify_all();
}

void NodeMonitor::SetReplicaLagMax(std::chrono::milliseconds lag_max) {
  const std::lock_guard lock(mu_);
  replica_lag_max_ = lag_max;
}

void NodeMonitor::Stop() {
  std::vector<std::unique_ptr<Node>> ending;
  {
    const std::lock_guard lock(mu_);
    stopped_ = true;
    ending = std::move(leaving_);
    leaving_.clear();
    for (auto& [key, node] : nodes_) ending.push_back(std::move(node));
    nodes_.clear();
  }
  for (const auto& node : ending) node->thread.request_stop();
  ending.clear();  // joins
}

// What a replica covers is known by where its primary's log ended at which moment.
void NodeMonitor::NoteSample(Node& node, Lsn lsn, uint64_t asked_us) {
  if (node.state.role == NodeRole::kPrimary) {
    node.history.Add(asked_us, lsn);
    node.samples->SetUsable(false);
    node.samples->FinishAsPrimary(lsn);
    return;
  }
  uint64_t covers_us = 0;
  uint64_t newest_us = 0;
  const auto shard = before_.find(node.shard);
  const NodeState* const primary = shard == before_.end() ? nullptr : shard->second.Primary();
  if (primary != nullptr) {
    const auto found = nodes_.find({primary->address, primary->dbname});
    if (found != nodes_.end()) {
      covers_us = found->second->history.CoveredBy(lsn);
      newest_us = found->second->history.newest_us();
    }
  }
  // Behind what is known of the primary: one that is down makes no replica worse.
  const uint64_t lag_us = covers_us == 0 ? NodeSamples::kUnknownLag : newest_us - covers_us;
  const uint64_t lag_max_us =
      static_cast<uint64_t>(std::chrono::microseconds(replica_lag_max_).count());
  node.samples->FinishAsReplica(lsn, covers_us, lag_us);
  node.samples->SetUsable(node.health.Check(node.state.reachable, lag_us, lag_max_us));
}

bool NodeMonitor::Note(Node& node, NodeState state) {
  const std::lock_guard lock(mu_);
  const bool first = !std::exchange(node.checked, true);
  if (!first && node.state == state) return false;
  if (!state.reachable && (first || node.state.reachable)) {
    LogWarning("node does not answer",
               {{"node", state.address.ToString()}, {"error", state.last_error}});
  } else if (state.reachable && (!node.state.reachable || node.state.role != state.role)) {
    LogInfo("node answers", {{"node", state.address.ToString()},
                             {"database", state.dbname},
                             {"role", NodeRoleName(state.role)},
                             {"timeline", state.timeline},
                             {"server_version", state.server_version}});
  }
  node.state = std::move(state);
  return true;
}

void NodeMonitor::WaitForTurn(const std::stop_token& stop, uint64_t& seen) {
  std::unique_lock lock(mu_);
  wake_.wait_for(lock, stop, interval_, [&] { return checks_wanted_ != seen; });
  seen = checks_wanted_;
}

void NodeMonitor::Run(const std::stop_token& stop, Node& node) {
  PgTarget target = node.target;
  target.stop = stop;
  std::optional<PgConnection> connection;
  uint64_t seen = 0;
  {
    const std::lock_guard lock(mu_);
    seen = checks_wanted_;
  }
  NodeState state = node.state;  // written by this thread alone
  while (!stop.stop_requested()) {
    Lsn lsn = 0;
    node.samples->Start();
    const uint64_t asked_us = SteadyUs();
    state = CheckNode(target, std::move(state), connection, &lsn);
    if (stop.stop_requested()) break;
    if (Note(node, state)) on_change_();
    {
      const std::lock_guard lock(mu_);
      if (state.reachable) {
        NoteSample(node, lsn, asked_us);
      } else {
        node.samples->SetUsable(node.health.Check(false, 0, 0));
      }
    }
    if (on_sample_) on_sample_();
    WaitForTurn(stop, seen);
  }
  const std::lock_guard lock(mu_);
  node.finished = true;
}

}  // namespace meridian
