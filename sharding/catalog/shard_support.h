// What Meridian needs in each shard's database: the schema meridian with the records of how
// transactions on several shards have ended (sql/shard/support.sql). Blocking.
#pragma once

#include <absl/status/status.h>

#include "sharding/catalog/pg_connection.h"

namespace meridian {

// Creates it, or brings it to this binary's version. `connection` is to the shard's primary. Any
// number of times, from several proxies at once.
absl::Status EnsureShardSupport(PgConnection& connection);

}  // namespace meridian
