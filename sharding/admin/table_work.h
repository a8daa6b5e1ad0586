// What admin commands do to tables on the shards themselves. Blocking.
//
// All of it runs under CatalogStore::LockShardWork, so that two proxies do not create or fill the
// same table at once, and may be repeated after a failure at any point.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <optional>
#include <string>
#include <vector>

#include "sharding/admin/shard_access.h"
#include "sharding/admin/table_definition.h"
#include "sharding/shard_map.h"

namespace meridian {

// A connection to a shard's primary. What it has locked stays locked until it is destroyed.
struct WorkShard {
  ShardIndex index;
  Shard shard;
  ShardPrimary primary;

  PgConnection& connection() { return primary.connection; }
};
using WorkShards = std::vector<WorkShard>;

// The primaries of these shards of the map, in its order. The first that cannot be reached is the
// error.
absl::StatusOr<WorkShards> ConnectPrimaries(const ShardAccess& access, const ShardMap& map,
                                            const ShardSet& which);

// Makes the table exist on each of the shards, as it is on the first that has it, and checks that
// it is the same on all. 42P01 where no shard has it.
absl::StatusOr<TableDefinition> EnsureTable(const ShardAccess& access, absl::Span<WorkShard> shards,
                                            const TableName& table);

// Locks the table against writes on each shard and makes sure that each row is on the shard that
// owns its key. 55000 with the number of rows that are not.
absl::Status CheckOwnership(absl::Span<WorkShard> shards, const TableName& table,
                            const std::vector<std::string>& key_columns,
                            const Distribution& distribution);

// Locks the table against writes on each shard and makes sure that none has rows. A shard without
// the table is fine. 55000 with the hint otherwise.
absl::Status CheckEmpty(absl::Span<WorkShard> shards, const TableName& table,
                        const std::string& hint);

// BEGIN and LOCK TABLE ... IN SHARE MODE. 55P03 where a writer does not end soon.
absl::Status LockForCheck(WorkShard& shard, const TableName& table);

}  // namespace meridian
