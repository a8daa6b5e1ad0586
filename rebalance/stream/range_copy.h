// The rows of a key range from one shard to another, as one snapshot shows them. Blocking.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "rebalance/stream/moved_table.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

// A connection to the source inside of a read-only transaction that sees what the exported
// snapshot shows. The exporting stream must not have done anything else since.
absl::StatusOr<PgConnection> OpenSnapshot(const PgTarget& source, const std::string& snapshot);

// What is told to be committed is durable, whatever the server's default.
inline constexpr char kDurableCommits[] =
    "SELECT pg_catalog.set_config('synchronous_commit', 'on', false)"
    " WHERE pg_catalog.current_setting('synchronous_commit') = 'off'";

// A connection to the target that takes rows as they are: no triggers, no checks of foreign keys.
absl::StatusOr<PgConnection> OpenForRows(const PgTarget& target);

// Copies in one statement, all or nothing; gives the bytes of the rows as COPY writes them.
// `on_bytes` is called with each piece before it is sent: it may take its time (throttle), and its
// error ends the copy.
absl::StatusOr<uint64_t> CopyRange(PgConnection& source, PgConnection& target,
                                   const MovedTable& table,
                                   absl::FunctionRef<absl::Status(size_t bytes)> on_bytes);

}  // namespace meridian
