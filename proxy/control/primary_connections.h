// Connections to the shards' primaries, kept from one use to the next. Blocking; one thread at a
// time.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "proxy/control/snapshot.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/pg_connection.h"
#include "sharding/string_map.h"

namespace meridian {

class PrimaryConnections {
 public:
  explicit PrimaryConnections(ShardAccess access) : access_(std::move(access)) {}

  // To the shard's primary as `snapshot` tells it, which has what Meridian needs
  // (EnsureShardSupport) and where nothing waits long for a lock. Valid until the next call. 42704:
  // there is no such shard; 08006: it has no primary, or it does not answer.
  absl::StatusOr<PgConnection*> To(const Snapshot& snapshot, const std::string& shard);
  void Drop(const std::string& shard) { kept_.erase(shard); }

 private:
  struct Kept {
    PgConnection connection;
    NodeAddress address;
  };
  const ShardAccess access_;
  StringMap<Kept> kept_;  // by shard
};

}  // namespace meridian
