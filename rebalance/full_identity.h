// REPLICA IDENTITY FULL, for as long as a move needs it: an UPDATE or DELETE then logs the whole
// row that was there, where no index tells which it was. Blocking.
//
// What the tables had before is kept by the shard itself (meridian.replica_identities), in the
// transaction that changes it: so it is known after any crash or failover. Several moves may need
// it of one table; the last one gives it back.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <string>

#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

// Of the table and its partitions. `owner`: the move's name there. Waits for all who use the table,
// no longer than `lock_timeout` for each lock: 55P03 then, and nothing has happened. May be
// repeated.
absl::Status SetFullIdentity(PgConnection& shard, const std::string& owner, const TableName& table,
                             std::chrono::milliseconds lock_timeout);
// Of all tables that the owner has changed; what others have changed since stays. No error where
// there is none.
absl::Status RestoreIdentity(PgConnection& shard, const std::string& owner,
                             std::chrono::milliseconds lock_timeout);

}  // namespace meridian
