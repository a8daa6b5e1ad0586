// REBALANCE, DRAIN SHARD and ISOLATE KEY: what they propose is put into the catalog as splits and
// moves, which the mover does. And the dry run of MOVE KEY RANGE. Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <optional>
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

// The automatic balancer's look, while nothing moves, by any proxy: where it is on and the last
// look is `interval` ago, it asks for the first move that REBALANCE would propose, with the splits
// before it; in dry run it only says so. `who`: this proxy.
absl::Status LookAtBalance(CatalogStore& store, const ShardAccess& access, const std::string& who,
                           std::chrono::milliseconds interval);

}  // namespace meridian
