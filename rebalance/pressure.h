// What presses on the shards of a move, for its throttle. Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <string>
#include <vector>

#include "rebalance/throttle.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

// How far the streaming replicas of the shard are behind. `whose`: "source" or "target".
absl::StatusOr<std::vector<Pressure>> ReplicaPressure(PgConnection& shard, const std::string& whose,
                                                      std::chrono::milliseconds max_lag);
// How much of its log the server keeps for slots of this prefix, against what it may.
absl::StatusOr<std::vector<Pressure>> SlotPressure(PgConnection& source,
                                                   const std::string& slot_prefix);

}  // namespace meridian
