// REBALANCE, DRAIN SHARD and ISOLATE KEY: what they propose is put into the catalog as splits and
// moves, which the mover does one after the other. Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "sharding/admin/command.h"
#include "sharding/admin/executor.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/store.h"

namespace meridian {

std::vector<AdminColumn> BalanceColumns();

// nullopt: it is another command. `text`, `who`: for the log of changes.
std::optional<absl::StatusOr<AdminOutcome>> ExecuteBalance(const Command& command,
                                                           const std::string& text,
                                                           const std::string& who,
                                                           CatalogStore& store,
                                                           const ShardAccess& access);

}  // namespace meridian
