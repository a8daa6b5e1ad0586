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

struct CopiedRows {
  uint64_t rows = 0;
  uint64_t bytes = 0;  // as COPY writes them
};
// Called with each piece of a copy before it is sent: it may take its time (throttle), and its
// error ends the copy.
using OnCopiedRows = absl::FunctionRef<absl::Status(const CopiedRows& piece)>;

// Copies in one statement, all or nothing.
absl::Status CopyRange(PgConnection& source, PgConnection& target, const MovedTable& table,
                       OnCopiedRows on_rows);

}  // namespace meridian
