#include <fmt/format.h>

#include <algorithm>

#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

struct Place {
  size_t distribution;
  const KeyRange* range;
};

std::optional<Place> FindRange(const ShardMap& map, std::string_view name) {
  for (size_t d = 0; d < map.distributions().size(); ++d) {
    for (const KeyRange& range : map.distributions()[d].ranges()) {
      if (range.name == name) return Place{d, &range};
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<MoveRequest> RequestMove(const MoveKeyRange& command, const ShardMap& map) {
  MapDraft draft = DraftOf(map);
  const auto place = FindRange(map, command.range);
  if (!place) {
    return SqlStatus(sqlstate::kUndefinedObject,
                     fmt::format("key range \"{}\" does not exist", command.range),
                     "SHOW KEY RANGES lists the key ranges.");
  }
  if (auto shard = RequireShard(draft, command.shard); !shard.ok()) return shard.status();
  const Distribution& distribution = map.distributions()[place->distribution];
  for (const DraftRange& range : draft.FindDistribution(distribution.name())->ranges) {
    if (range.name != command.range) continue;
    if (absl::Status rests = RequireAtRest(range); !rests.ok()) return rests;
  }
  const std::string& owner = map.shard(place->range->owner).name;
  if (owner == command.shard) {
    return SqlStatus(
        sqlstate::kObjectNotInPrerequisiteState,
        fmt::format("key range \"{}\" is on shard \"{}\" already", command.range, command.shard));
  }
  MoveRequest request{command.range, distribution.name(), owner, command.shard, {}};
  const MoveChange& given = command.options;
  if (given.max_rate) request.options.max_rate = *given.max_rate;
  if (given.max_replica_lag) request.options.max_replica_lag = *given.max_replica_lag;
  if (given.cutover_timeout) request.options.cutover_timeout = *given.cutover_timeout;
  if (given.verify) request.options.verify = *given.verify;
  if (given.reversible) request.options.reversible = *given.reversible;
  if (given.full_identity) request.options.full_identity = *given.full_identity;
  if (given.slice_size) request.options.slice_size = *given.slice_size;
  if (request.options.reversible) {
    if (given.slice_size && *given.slice_size > 0) {
      return SqlStatus(sqlstate::kFeatureNotSupported, "a reversible move has no slices",
                       "Leave out slice_size, or reversible.");
    }
    request.options.slice_size = 0;
  }
  return request;
}

}  // namespace meridian
