// All that a worker knows of the world outside its sockets: one immutable value.
//
// Made on control threads, given to workers by message; a worker keeps the latest and nothing
// older.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "metrics/counters.h"
#include "proxy/control/node_states.h"
#include "proxy/control/roles.h"
#include "router/schema.h"
#include "sharding/shard_map.h"

namespace meridian {

// No pointer is null. Parts that did not change are the same objects as in the snapshot before.
struct Snapshot {
  uint64_t version = 0;  // grows by one with each snapshot
  std::shared_ptr<const ShardMap> map;
  std::vector<ShardSlot> slots;             // parallel to map->shards(): where their metrics live
  std::shared_ptr<const NodeStates> nodes;  // parallel to map->shards()
  // Of the default shard, database `database`. Schema version 0 and empty roles: not read yet.
  std::shared_ptr<const Schema> schema;
  std::shared_ptr<const Roles> roles;
  std::string database;

  // Whether ordinary clients can be served. If not (a new catalog without shards, or a default
  // shard that was not reached since the start), only the admin database is open: 57P03 for the
  // rest.
  bool Serves() const { return !map->shards().empty() && schema->version() != 0; }
};

class SnapshotListener {
 public:
  virtual ~SnapshotListener() = default;
  // On a control thread, one call at a time, versions ascending. Must not block and must not call
  // the ControlPlane.
  virtual void OnSnapshot(std::shared_ptr<const Snapshot> snapshot) = 0;
  // On a node's thread, several times a second: NodeSamples may tell something new.
  virtual void OnSample() {}
};

}  // namespace meridian
