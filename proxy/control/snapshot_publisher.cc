#include "proxy/control/snapshot_publisher.h"

#include <utility>
#include <vector>

#include "metrics/log.h"

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
