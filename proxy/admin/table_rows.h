// Values of admin tables in PostgreSQL's text format, and what several tables need to look up.
// Pure.
#pragma once

#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/admin/worker_report.h"
#include "proxy/control/snapshot.h"
#include "sharding/admin/table_result.h"

namespace meridian {

AdminValue NumberValue(uint64_t number);
// For columns of type integer, which PgBouncer's tables have: held at the type's largest value.
AdminValue IntegerValue(uint64_t number);
AdminValue BoolValue(bool value);
// NULL for an empty text.
AdminValue TextOrNull(std::string_view text);
// As PgBouncer writes times: "2026-11-23 09:48:30 UTC"; empty where not known.
std::string TimeText(UnixMicros time);
// "idle", "in transaction", "failed".
std::string TransactionText(char transaction_status);

// The shard that the pool's node belongs to, and what the node is there.
struct PoolPlace {
  ShardIndex shard;
  NodeRole role = NodeRole::kUnknown;
};
// nullopt: the map does not know the node (any more).
std::optional<PoolPlace> PlaceOf(const PoolKey& pool, const Snapshot& snapshot);
// What the node is in its shard: the primary is the one that is written to.
NodeRole RoleOf(const ShardNodes& nodes, const NodeAddress& address);

// The database that clients name for this pool: a shard may have another name for it.
std::string ClientDatabase(const PoolKey& pool, const Config& config);

}  // namespace meridian
