// The connection of a reading thread to the default shard's primary.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <optional>

#include "proxy/control/snapshot.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

// One thread at a time.
class DefaultShard {
 public:
  // `access` as configured; the sessions made here have search_path = pg_catalog.
  explicit DefaultShard(ShardAccess access);

  // Runs body on a connection to the primary that `snapshot` tells; once more on a new connection
  // where an idle one turns out to be dead. Follows a failover. 55000 where the map has no shards,
  // 08006 where no primary is known.
  absl::Status Read(const Snapshot& snapshot, absl::FunctionRef<absl::Status(PgConnection&)> body);

  // The database that Read reads.
  std::string DatabaseOf(const ShardMap& map) const;

 private:
  absl::Status Connect(const PgTarget& target);

  ShardAccess access_;
  std::optional<PgConnection> connection_;
  NodeAddress address_;  // of connection_
  std::string dbname_;
};

// The same login with settings that make unqualified names mean pg_catalog's and nothing else, and
// with the statement timeout also known to the server.
PgTarget ForReading(PgTarget login);

}  // namespace meridian
