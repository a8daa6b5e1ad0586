#include "proxy/control/snapshot_publisher.h"

#include <utility>
#include <vector>

#include "metrics/log.h"
#include "proxy/control/steady_clock.h"

namespace meridian {
namespace {

std::shared_ptr<const Snapshot> EmptySnapshot() {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->map = *ShardMap::Build(Epoch{0}, {}, {}, {});
  snapshot->schema = Schema::Build(0, {}, {});
  snapshot->roles = std::make_shared<const Roles>();
  snapshot->nodes = std::make_shared<const NodeStates>();
  return snapshot;
}

std::vector<std::string> ShardNames(const ShardMap& map) {
  std::vector<std::string> names;
  for (const Shard& shard : map.shards()) names.push_back(shard.name);
  return names;
}

}  // namespace

SnapshotPublisher::SnapshotPublisher(SnapshotListener& listener, MetricsRegistry& metrics,
                                     NodeMonitor& monitor)
    : listener_(listener), metrics_(metrics), monitor_(monitor), current_(EmptySnapshot()) {}

std::shared_ptr<const Snapshot> SnapshotPublisher::Current() const {
  const std::lock_guard lock(mu_);
  return current_;
}

void SnapshotPublisher::Publish(Snapshot next) {
  ++next.version;
  ProcessMetrics& process = metrics_.process();
  process.catalog_epoch.Set(static_cast<int64_t>(next.map->epoch().value));
  process.schema_version.Set(static_cast<int64_t>(next.schema->version()));
  process.shards.Set(static_cast<int64_t>(next.map->shards().size()));
  current_ = std::make_shared<const Snapshot>(std::move(next));
  listener_.OnSnapshot(current_);
}

std::vector<NodeMetrics> SnapshotPublisher::Nodes() const {
  const std::shared_ptr<const Snapshot> snapshot = Current();
  std::vector<NodeMetrics> nodes;
  for (size_t i = 0; i < snapshot->map->shards().size(); ++i) {
    const ShardNodes& shard = snapshot->nodes->shards[i];
    for (const NodeState& node : shard.nodes) {
      NodeMetrics& metrics = nodes.emplace_back();
      metrics.shard = snapshot->map->shards()[i].name;
      metrics.node = node.address.ToString();
      metrics.role = NodeRoleName(node.role);
      metrics.used = IsUsed(shard, node);
      metrics.reads = node.samples == nullptr ? 0 : node.samples->reads();
      if (const auto lag = LagOf(shard, node)) {
        metrics.lag_bytes = lag->bytes;
        if (lag->us) metrics.lag_seconds = static_cast<double>(*lag->us) / 1e6;
      }
    }
  }
  return nodes;
}

void SnapshotPublisher::CountPrimaries(const ShardMap& map, const NodeStates& nodes) {
  ProcessMetrics& process = metrics_.process();
  const uint64_t now = SteadyUs();
  int64_t missing = 0;
  for (size_t i = 0; i < map.shards().size(); ++i) {
    const ShardNodes& shard = nodes.shards[i];
    Primaries& seen = primaries_[map.shards()[i].name];
    const NodeState* const primary = shard.Primary();
    if (primary == nullptr || !shard.last_error.empty()) {
      ++missing;
      if (seen.missing_since_us == 0) seen.missing_since_us = now;
      continue;
    }
    if (seen.missing_since_us != 0 && seen.last) {
      process.without_primary_us.Add(now - seen.missing_since_us);
    }
    seen.missing_since_us = 0;
    if (seen.last && *seen.last != primary->address) process.failovers.Add();
    seen.last = primary->address;
  }
  process.shards_without_primary.Set(missing);
}

void SnapshotPublisher::SetMap(std::shared_ptr<const ShardMap> map) {
  const std::lock_guard lock(mu_);
  if (map->epoch() == current_->map->epoch()) return;
  if (map->epoch() < current_->map->epoch()) {
    LogError(
        "the catalog is at an older epoch than the map in use; was it restored from a backup? "
        "The newer map stays until a restart",
        {{"catalog_epoch", map->epoch().value}, {"epoch", current_->map->epoch().value}});
    return;
  }
  monitor_.Watch(*map);
  Snapshot next = *current_;
  next.slots = metrics_.SlotsFor(ShardNames(*map));
  next.nodes = std::make_shared<const NodeStates>(monitor_.States(*map));
  next.map = std::move(map);
  LogInfo("new shard map", {{"epoch", next.map->epoch().value},
                            {"shards", next.map->shards().size()},
                            {"distributions", next.map->distributions().size()},
                            {"tables", next.map->tables().size()}});
  Publish(std::move(next));
}

void SnapshotPublisher::UpdateNodes() {
  const std::lock_guard lock(mu_);
  NodeStates states = monitor_.States(*current_->map);
  if (states == *current_->nodes) return;
  CountPrimaries(*current_->map, states);
  Snapshot next = *current_;
  next.nodes = std::make_shared<const NodeStates>(std::move(states));
  Publish(std::move(next));
}

void SnapshotPublisher::SetSchema(std::shared_ptr<const Schema> schema,
                                  const std::string& database) {
  const std::lock_guard lock(mu_);
  if (schema == current_->schema && database == current_->database) return;
  Snapshot next = *current_;
  next.schema = std::move(schema);
  next.database = database;
  Publish(std::move(next));
}

void SnapshotPublisher::SetRoles(std::shared_ptr<const Roles> roles) {
  const std::lock_guard lock(mu_);
  if (roles == current_->roles) return;
  Snapshot next = *current_;
  next.roles = std::move(roles);
  Publish(std::move(next));
}

}  // namespace meridian
