#include <fmt/format.h>

#include <algorithm>

#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Two shards in one database would be one set of rows under two names.
absl::Status CheckNodeIsFree(const MapDraft& draft, const Shard& owner, const NodeAddress& node) {
  for (const Shard& shard : draft.shards) {
    if (std::find(shard.nodes.begin(), shard.nodes.end(), node) == shard.nodes.end()) continue;
    if (shard.name == owner.name) {
      return SqlStatus(
          sqlstate::kDuplicateObject,
          fmt::format("shard \"{}\" already has the host {}", shard.name, node.ToString()));
    }
    const bool apart =
        !shard.dbname.empty() && !owner.dbname.empty() && shard.dbname != owner.dbname;
    if (!apart) {
      return SqlStatus(
          sqlstate::kDuplicateObject,
          fmt::format("the host {} belongs to shard \"{}\"", node.ToString(), shard.name),
          "Shards that share a host need a DBNAME each, all different.");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Shard*> RequireShard(MapDraft& draft, std::string_view name) {
  if (Shard* shard = draft.FindShard(name)) return shard;
  return SqlStatus(sqlstate::kUndefinedObject, fmt::format("shard \"{}\" does not exist", name),
                   "SHOW SHARDS lists the shards.");
}

absl::Status Apply(const CreateShard& command, MapDraft& draft) {
  if (draft.FindShard(command.name) != nullptr) {
    return SqlStatus(sqlstate::kDuplicateObject,
                     fmt::format("shard \"{}\" already exists", command.name));
  }
  if (draft.shards.size() >= kMaxShards) {
    return SqlStatus(sqlstate::kProgramLimitExceeded,
                     fmt::format("a map holds at most {} shards", kMaxShards));
  }
  draft.shards.push_back({command.name, {}, command.dbname, command.number});
  for (const NodeAddress& node : command.nodes) {
    absl::Status free = CheckNodeIsFree(draft, draft.shards.back(), node);
    if (!free.ok()) return free;
    draft.shards.back().nodes.push_back(node);
  }
  return absl::OkStatus();
}

absl::Status Apply(const AlterShard& command, MapDraft& draft) {
  auto shard = RequireShard(draft, command.name);
  if (!shard.ok()) return shard.status();
  std::vector<NodeAddress>& nodes = (*shard)->nodes;
  if (command.action == AlterShard::Action::kAddHost) {
    absl::Status free = CheckNodeIsFree(draft, **shard, command.node);
    if (free.ok()) nodes.push_back(command.node);
    return free;
  }
  const auto found = std::find(nodes.begin(), nodes.end(), command.node);
  if (found == nodes.end()) {
    return SqlStatus(
        sqlstate::kUndefinedObject,
        fmt::format("shard \"{}\" has no host {}", command.name, command.node.ToString()),
        "SHOW SHARDS lists the hosts.");
  }
  if (nodes.size() == 1) {
    return SqlStatus(
        sqlstate::kObjectNotInPrerequisiteState,
        fmt::format("{} is the only host of shard \"{}\"", command.node.ToString(), command.name),
        "Add the host that takes its place first, or drop the shard.");
  }
  nodes.erase(found);
  return absl::OkStatus();
}

absl::Status Apply(const DropShard& command, MapDraft& draft) {
  auto shard = RequireShard(draft, command.name);
  if (!shard.ok()) return shard.status();
  for (const DraftDistribution& distribution : draft.distributions) {
    for (const DraftRange& range : distribution.ranges) {
      if (range.move && range.move->peer == command.name) return RequireAtRest(range);
      if (range.owner != command.name) continue;
      return SqlStatus(
          "2BP01",
          fmt::format("shard \"{}\" owns key range \"{}\" of distribution \"{}\"", command.name,
                      range.name, distribution.name),
          "A shard that owns key ranges has rows; SHOW KEY RANGES WHERE shard = ... lists them.");
    }
  }
  if (*shard == &draft.shards.front()) {
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                     fmt::format("shard \"{}\" is the default shard", command.name),
                     "The default shard holds the local tables and cannot be dropped.");
  }
  draft.shards.erase(draft.shards.begin() + (*shard - draft.shards.data()));
  return absl::OkStatus();
}

}  // namespace meridian
