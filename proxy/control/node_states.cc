#include "proxy/control/node_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace meridian {
namespace {

// What is known of the shard from before.
struct Established {
  std::optional<size_t> primary;  // index into the nodes now; nullopt: none, or no longer a node
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
};

bool SameNode(const NodeState& a, const NodeState& b) {
  return a.address == b.address && a.dbname == b.dbname;
}

Established Establish(const std::vector<NodeState>& nodes, const ShardNodes& before) {
  Established established;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const NodeState& was : before.nodes) {
      if (!SameNode(nodes[i], was)) continue;
      established.system_identifier = before.system_identifier;
      established.timeline = before.timeline;
      if (before.Primary() == &was) established.primary = i;
    }
  }
  return established;
}

// The identifier that the shard's nodes must have; 0: any (no primary answers, or they disagree and
// nothing tells which is right).
uint64_t ShardIdentifier(const std::vector<NodeState>& nodes, const Established& established) {
  if (established.system_identifier != 0) return established.system_identifier;
  uint64_t identifier = 0;
  for (const NodeState& node : nodes) {
    if (node.role != NodeRole::kPrimary) continue;
    if (identifier != 0 && identifier != node.system_identifier) return 0;
    identifier = node.system_identifier;
  }
  return identifier;
}

bool Usable(const NodeState& node) { return node.reachable && node.last_error.empty(); }

void RefuseStrangers(std::vector<NodeState>& nodes, uint64_t identifier) {
  for (NodeState& node : nodes) {
    if (!Usable(node) || identifier == 0 || node.system_identifier == identifier) continue;
    node.last_error =
        fmt::format("not a node of this shard: its system identifier is {}, the shard's is {}",
                    node.system_identifier, identifier);
  }
}

// A replica that still follows a primary which was replaced may show what was lost with it.
void RefuseOldReplicas(std::vector<NodeState>& nodes, uint32_t timeline) {
  for (NodeState& node : nodes) {
    if (node.role != NodeRole::kReplica || !Usable(node) || node.timeline >= timeline) continue;
    node.last_error = fmt::format(
        "a replica of timeline {}, but the shard is at timeline {}: it does not follow the new "
        "primary",
        node.timeline, timeline);
  }
}

// Indexes of the usable nodes of the newest timeline that call themselves primary.
std::vector<size_t> NewestPrimaries(const std::vector<NodeState>& nodes) {
  std::vector<size_t> newest;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].role != NodeRole::kPrimary || !Usable(nodes[i])) continue;
    if (!newest.empty() && nodes[i].timeline < nodes[newest[0]].timeline) continue;
    if (!newest.empty() && nodes[i].timeline > nodes[newest[0]].timeline) newest.clear();
    newest.push_back(i);
  }
  return newest;
}

// Whether the primary before is still the one, as far as it says itself.
bool Stays(const NodeState& primary, const Established& established) {
  if (!primary.reachable) return true;
  return primary.role == NodeRole::kPrimary && Usable(primary) &&
         primary.timeline >= established.timeline;
}

std::optional<size_t> ChoosePrimary(const std::vector<NodeState>& nodes,
                                    const Established& established) {
  const std::vector<size_t> newest = NewestPrimaries(nodes);
  const uint32_t timeline = newest.empty() ? 0 : nodes[newest[0]].timeline;
  if (established.primary && Stays(nodes[*established.primary], established)) {
    const uint32_t own = std::max(established.timeline, nodes[*established.primary].timeline);
    if (timeline <= own) return established.primary;
  }
  if (newest.size() != 1 || timeline < established.timeline) return std::nullopt;
  return newest[0];
}

void RefuseOtherPrimaries(std::vector<NodeState>& nodes, std::optional<size_t> primary,
                          uint32_t timeline) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    NodeState& node = nodes[i];
    if (i == primary || node.role != NodeRole::kPrimary || !Usable(node)) continue;
    node.last_error =
        node.timeline < timeline
            ? fmt::format(
                  "a primary of timeline {}, but the shard is at timeline {}: it was "
                  "replaced, and must be rebuilt as a replica",
                  node.timeline, timeline)
            : fmt::format("a second primary of timeline {}: stop one of them", node.timeline);
  }
}

std::string WhyNoPrimary(const ShardNodes& shard) {
  if (shard.nodes.empty()) return "the shard has no nodes";
  if (const NodeState* const primary = shard.Primary()) {
    return primary->last_error.empty()
               ? std::string()
               : fmt::format("the primary {} cannot be used: {}", primary->address.ToString(),
                             primary->last_error);
  }
  std::string reasons;
  for (const NodeState& node : shard.nodes) {
    if (!reasons.empty()) reasons += "; ";
    reasons += fmt::format("{}: {}", node.address.ToString(),
                           node.last_error.empty() ? "is a replica" : node.last_error);
  }
  return "no primary: " + reasons;
}

}  // namespace

std::string_view NodeRoleName(NodeRole role) {
  switch (role) {
    case NodeRole::kPrimary:
      return "primary";
    case NodeRole::kReplica:
      return "replica";
    case NodeRole::kUnknown:
      break;
  }
  return "unknown";
}

std::optional<ReplicaLag> LagOf(const ShardNodes& shard, const NodeState& node) {
  const NodeState* const primary = shard.Primary();
  if (primary == nullptr || primary->samples == nullptr || node.samples == nullptr ||
      node.role != NodeRole::kReplica || !Usable(node)) {
    return std::nullopt;
  }
  const Lsn end = primary->samples->as_primary().lsn;
  const Lsn replayed = node.samples->as_replica().lsn;
  ReplicaLag lag{end > replayed ? end - replayed : 0, node.samples->lag_us()};
  if (lag.us == NodeSamples::kUnknownLag) lag.us = std::nullopt;
  return lag;
}

bool IsUsed(const ShardNodes& shard, const NodeState& node) {
  if (&node == shard.Primary()) return Usable(node);
  return node.role == NodeRole::kReplica && Usable(node) && node.samples != nullptr &&
         node.samples->usable();
}

int NodeStates::NewestServerVersion() const {
  int newest = 0;
  for (const ShardNodes& shard : shards) {
    for (const NodeState& node : shard.nodes) {
      if (node.server_version == 0) return 0;
      newest = std::max(newest, node.server_version);
    }
  }
  return newest;
}

ShardNodes ChooseRoles(std::vector<NodeState> nodes, const ShardNodes& before) {
  const Established established = Establish(nodes, before);
  RefuseStrangers(nodes, ShardIdentifier(nodes, established));
  ShardNodes shard;
  shard.primary = ChoosePrimary(nodes, established);
  shard.system_identifier = established.system_identifier;
  shard.timeline = established.timeline;
  if (shard.primary) {
    shard.system_identifier = nodes[*shard.primary].system_identifier;
    shard.timeline = std::max(shard.timeline, nodes[*shard.primary].timeline);
  }
  RefuseOtherPrimaries(nodes, shard.primary, shard.timeline);
  RefuseOldReplicas(nodes, shard.timeline);
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].role == NodeRole::kReplica && Usable(nodes[i])) shard.replicas.push_back(i);
  }
  shard.nodes = std::move(nodes);
  shard.last_error = WhyNoPrimary(shard);
  return shard;
}

}  // namespace meridian
