// How admin commands reach the shards: credentials, and which node is the primary now.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

struct ShardAccess {
  // User, password, further parameters and timeouts for every shard; `address` is not used,
  // `dbname` where the shard names none.
  PgTarget login;
  // The pg_dump to use; empty: the newest of PATH and /usr/lib/postgresql/*/bin.
  std::string pg_dump;
};

// The target of one node of the shard.
PgTarget TargetOf(const ShardAccess& access, const Shard& shard, const NodeAddress& node);

struct ShardPrimary {
  PgConnection connection;
  NodeAddress node;
};
// A connection to the shard's only node that is not in recovery. 08006 where no node answers, 25006
// where all that answer are standbys, 55000 where two are primaries.
absl::StatusOr<ShardPrimary> ConnectPrimary(const ShardAccess& access, const Shard& shard);

}  // namespace meridian
