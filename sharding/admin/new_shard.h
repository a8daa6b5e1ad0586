// What a shard must have before the map may count on it. Blocking.
#pragma once

#include <absl/status/status.h>

#include "sharding/admin/table_work.h"

namespace meridian {

// `shards`: the default shard and the new one, which is the last of `planned`. Creates on the
// new shard what Meridian needs (EnsureShardSupport), the roles and every mapped table, copies the
// rows of reference tables, makes sure that sharded tables have no rows there, and
// gives it its windows of their sequences.
absl::Status PrepareNewShard(const ShardAccess& access, const ShardMap& planned,
                             WorkShards& shards);

}  // namespace meridian
