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

// What was looked at last.
struct LatencySeen {
  std::string at;        // empty: nothing
  bool pressed = false;  // it has slowed the move down
};
// The clients' latency on both shards of a move, as the proxies have told, against what it was
// before: NoteLatencyBefore, which the move does once. The pressure is how many of 100 statements
// take longer than 95 did then: their share tells sooner than a quantile what becomes of the slow
// ones. Nothing is told where there is nothing newer, nor anything that is partly from before
// the move slowed down.
absl::Status NoteLatencyBefore(PgConnection& catalog, uint64_t move);
absl::StatusOr<std::vector<Pressure>> LatencyPressure(PgConnection& catalog, uint64_t move,
                                                      LatencySeen& seen);

}  // namespace meridian
