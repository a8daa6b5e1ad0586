// SHOW MOVES, SHOW MOVE n and SHOW MOVE HISTORY. Blocking: they ask the catalog.
#pragma once

#include <absl/status/statusor.h>

#include <vector>

#include "sharding/admin/command.h"
#include "sharding/admin/table_result.h"
#include "sharding/catalog/store.h"

namespace meridian {

std::vector<AdminColumn> MoveColumns();
// Of the answer to MOVE KEY RANGE.
std::vector<AdminColumn> NewMoveColumns();

// Precondition: the subject is kMoves or kMoveHistory.
absl::StatusOr<AdminResult> ShowMoves(const Show& show, CatalogStore& store);

}  // namespace meridian
