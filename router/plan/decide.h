// Runs a RouteProgram with the values of one execution: the hot path after the plan cache.
#pragma once

#include <absl/status/statusor.h>

#include "router/decision.h"
#include "router/plan/program.h"
#include "router/values.h"
#include "sharding/shard_map.h"

namespace meridian {

absl::StatusOr<Decision> RunProgram(const RouteProgram& program, const ShardMap& map,
                                    const Values& values, const RouteHints& hints);

// The shard of each row, one in each set; nullopt where the server will refuse a value, so that any
// shard does. 23502 for a NULL key, 0A000 for one that only the server can tell.
absl::StatusOr<std::optional<std::vector<ShardSet>>> ShardsOfRows(const InsertRows& insert,
                                                                  const RouteProgram& program,
                                                                  const ShardMap& map,
                                                                  const Values& values);

}  // namespace meridian
