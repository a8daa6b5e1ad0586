// The rows of a reference table: the same on every shard. Blocking.
#pragma once

#include <absl/status/status.h>

#include <optional>

#include "sharding/admin/table_work.h"

namespace meridian {

// Rolls back the prepared copies of a command that was interrupted: they would block the table for
// ever. Outside transactions; under LockShardWork none that exists is in use.
absl::Status SweepUnfinishedCopies(absl::Span<WorkShard> shards);

// Locks the table against writes on each shard. Where all have the same rows, that is all. Where
// exactly one has rows, they are copied to the others, on all or on none (PREPARE TRANSACTION);
// with `source` (an index into `shards`) only from that one. Anything else is 55000 with the
// numbers of rows.
absl::Status EnsureSameRows(absl::Span<WorkShard> shards, const TableName& table,
                            const TableDefinition& definition, const std::optional<size_t>& source);

}  // namespace meridian
