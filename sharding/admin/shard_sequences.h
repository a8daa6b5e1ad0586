// The sequences that give the columns of a sharded table their values: each shard draws from a
// window of its own (sharding/sequence_window.h), so that no two rows get the same. Blocking.
#pragma once

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <vector>

#include "sharding/admin/table_result.h"
#include "sharding/admin/table_work.h"

namespace meridian {

// Gives each shard its window of the sequences of the table's identity columns and of its defaults
// nextval('...'), and lets no shard draw again what another has drawn. May be repeated. Tells of
// the sequences that cannot be divided, which stay as they are: INSERT then has to give the value.
absl::StatusOr<std::vector<AdminNotice>> DivideSequences(absl::Span<WorkShard> shards,
                                                         const TableName& table);
// Gives a shard that comes to the others its windows of those that they have divided. 42P17 where
// it draws otherwise.
absl::Status DivideSequencesAt(WorkShard& default_shard, WorkShard& shard, const TableName& table);

}  // namespace meridian
