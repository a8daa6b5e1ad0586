// The roles that clients log in as, on a new shard. Blocking.
#pragma once

#include <absl/status/status.h>

#include "sharding/catalog/pg_connection.h"

namespace meridian {

// Creates on `to` the roles that it lacks, with their attributes, passwords (as the verifiers that
// they are), memberships and settings, in one transaction. Roles that are there are left as they
// are. Who may not read pg_authid at `from` copies nothing: then they must be made by hand.
absl::Status CopyRoles(PgConnection& from, PgConnection& to);

}  // namespace meridian
