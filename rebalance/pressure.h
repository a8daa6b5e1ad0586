// What presses on the shards of a move, for its throttle. Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
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

// The clients' latency on both shards of a move, as the proxies have told, against what it was
// before: NoteLatencyBefore, which the move does once. `seen`: the time of what was looked at last;
// nothing is told where there is nothing newer, so that each report slows the move down once.
absl::Status NoteLatencyBefore(PgConnection& catalog, uint64_t move);
absl::StatusOr<std::vector<Pressure>> LatencyPressure(PgConnection& catalog, uint64_t move,
                                                      std::string& seen);

}  // namespace meridian
