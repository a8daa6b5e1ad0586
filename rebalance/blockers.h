// For whom a move waits on a shard, in words for people: "process 4711 of app, for 12 s". Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "rebalance/fence.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

// The oldest transaction that has written, or is prepared: the creation of a slot waits for its
// end. Empty: there is none.
absl::StatusOr<std::string> OldestTransaction(PgConnection& shard);
// Those that have written to the fence's range and not ended. Empty: there is none.
absl::StatusOr<std::string> WritersOfRange(PgConnection& source, const Fence& fence);
// Those that keep others from the locks of DDL on the tables. Empty: there is none.
absl::StatusOr<std::string> UsersOfTables(PgConnection& shard,
                                          const std::vector<TableName>& tables);

}  // namespace meridian
