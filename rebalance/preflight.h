// What must hold before a move begins; MOVE KEY RANGE ... WITH (dry_run) only looks. Blocking.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "rebalance/slice.h"
#include "sharding/admin/command.h"
#include "sharding/admin/executor.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/store.h"

namespace meridian {

// That the source can be followed: versions, wal_level, slots, replica identities. That the owner
// is the source, and that the target has the tables, as they are at the source, and no row of the
// range. `back`: the slice of the way back, of a move that is to be reversible, or nullptr. 55000
// with a hint.
absl::Status CheckBeforehand(const std::string& owner, Slice& there, Slice* back);

// One row about the move as it would be: how much it takes, and who would be waited for. An error
// where it cannot be done.
std::vector<AdminColumn> DryRunColumns();
absl::StatusOr<AdminOutcome> DryRunMove(const MoveKeyRange& command, CatalogStore& store,
                                        const ShardAccess& access);

}  // namespace meridian
