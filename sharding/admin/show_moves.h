// SHOW MOVES, SHOW MOVE n, SHOW MOVE HISTORY, SHOW REBALANCER and SHOW LOAD. Blocking: they ask the
// catalog.
#pragma once

#include <absl/status/statusor.h>

#include <vector>

#include "sharding/admin/command.h"
#include "sharding/admin/table_result.h"
#include "sharding/catalog/store.h"

namespace meridian {

// Of one of these subjects.
std::vector<AdminColumn> MoveColumns(ShowSubject subject);
// Of the answer to MOVE KEY RANGE.
std::vector<AdminColumn> NewMoveColumns();

// Precondition: the subject is kMoves, kMoveHistory, kRebalancer or kLoad.
absl::StatusOr<AdminResult> ShowMoves(const Show& show, CatalogStore& store);

}  // namespace meridian
