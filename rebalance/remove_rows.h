// Takes the rows of a key range from a shard that is not to have them. Blocking.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include "rebalance/stream/moved_table.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

// In transactions of at most kRowsPerDelete rows. `shard` is a connection of OpenForRows: neither
// triggers nor foreign keys see it. Nobody else may change these rows. `before_batch` runs first in
// each transaction, and may take its time before it; its error ends the work, which may be begun
// again.
inline constexpr size_t kRowsPerDelete = 2'000;
absl::Status RemoveRows(PgConnection& shard, const MovedTable& table,
                        absl::FunctionRef<absl::Status()> before_batch);

}  // namespace meridian
