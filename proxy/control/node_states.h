// What is observed of the shards' nodes: an immutable value, made by NodeMonitor.
//
// Roles are never configured. A node that answers and is not in recovery is a primary; where
// several of a shard claim that, the one of the newest timeline is (PostgreSQL raises the timeline
// with each promotion). Pure; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/control/node_samples.h"
#include "sharding/shard_map.h"

namespace meridian {

enum class NodeRole : uint8_t { kUnknown, kPrimary, kReplica };
std::string_view NodeRoleName(NodeRole role);  // "primary", "replica", "unknown"

// One node as it was at its last check.
struct NodeState {
  NodeAddress address;
  std::string dbname;  // the database that the check was made in
  // What the node says of itself; kUnknown where it does not answer.
  NodeRole role = NodeRole::kUnknown;
  bool reachable = false;
  // Why it cannot be used, as one line; empty where it can.
  std::string last_error;

  // As of the last check that was answered.
  uint64_t system_identifier = 0;  // pg_control_system(); 0: never answered
  uint32_t timeline = 0;
  int server_version = 0;  // 150004
  // Settings that the server reports at login (protocol message ParameterStatus) and that are the
  // same for all sessions, ordered by name: server_version, server_encoding, TimeZone, ...
  // Left out are those that depend on who logs in and how: application_name, client_encoding,
  // in_hot_standby, is_superuser, search_path, session_authorization.
  std::vector<std::pair<std::string, std::string>> parameters;

  // How far its log has come, now. Null: the node is not watched.
  std::shared_ptr<const NodeSamples> samples;

  friend bool operator==(const NodeState&, const NodeState&) = default;
};

struct ShardNodes {
  std::vector<NodeState> nodes;  // in the order of Shard::nodes
  // The node to write to, an index into nodes. It stays while it does not answer (the connections
  // of workers may still work, and their errors are the better ones), until another node is seen as
  // primary or it comes back as a replica. nullopt: none was seen yet, or it became a replica.
  std::optional<size_t> primary;
  std::vector<size_t> replicas;  // indexes into nodes: replicas of this shard that answer
  // Why nothing can be written now, as one line; empty where it can.
  std::string last_error;
  // Of the last primary that was seen: what a node must have to be the next one.
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;

  const NodeState* Primary() const { return primary ? &nodes[*primary] : nullptr; }
  friend bool operator==(const ShardNodes&, const ShardNodes&) = default;
};

// How far a replica is behind its primary.
struct ReplicaLag {
  uint64_t bytes;              // of the log
  std::optional<uint64_t> us;  // nullopt: longer than is known
};
// Now. nullopt: `node` is no replica of this shard that answers, or there is no primary.
std::optional<ReplicaLag> LagOf(const ShardNodes& shard, const NodeState& node);

// Whether statements are sent to it: it is the primary, or a replica that is not too far behind.
bool IsUsed(const ShardNodes& shard, const NodeState& node);

struct NodeStates {
  // One per shard, in the order of ShardMap::shards() of the map in the same Snapshot.
  std::vector<ShardNodes> shards;

  const ShardNodes& of(ShardIndex shard) const { return shards[shard.value]; }
  // Of all nodes, as NodeState::server_version; 0 while one has never answered.
  int NewestServerVersion() const;
  friend bool operator==(const NodeStates&, const NodeStates&) = default;
};

// Chooses primary and replicas among `nodes` as they were checked, and gives a last_error to those
// that answer but must not be used:
//   another system identifier than the shard's;
//   a replica of an older timeline than the shard's newest: it may have what the primary lacks;
//   a primary of an older timeline than the shard's newest: it was replaced, and lacks writes;
//   a second primary of the same timeline: with a primary before, that one stays; without, there is
//   none, since a guess could lose writes.
// `before`: the shard's state until now. It is forgotten where none of its nodes is left.
ShardNodes ChooseRoles(std::vector<NodeState> nodes, const ShardNodes& before);

}  // namespace meridian
