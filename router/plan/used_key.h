// Which key a statement uses, for statistics of ranges.
#pragma once

#include <optional>

#include "router/decision.h"
#include "router/plan/program.h"
#include "router/values.h"
#include "sharding/shard_map.h"

namespace meridian {

// nullopt: none, several, or one that only the server can tell. Of an INSERT, the first row's.
std::optional<UsedKey> FindUsedKey(const RouteProgram& program, const ShardMap& map,
                                   const Values& values);

}  // namespace meridian
