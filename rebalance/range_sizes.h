// How many bytes the rows of each key range have, by a sample. Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "rebalance/balance_policy.h"
#include "sharding/admin/shard_access.h"
#include "sharding/shard_map.h"

namespace meridian {

// Of all distributions, or of one. Rows of ranges on the move are counted where they belong.
absl::StatusOr<std::vector<RangeLoad>> MeasureRanges(
    const ShardMap& map, const ShardAccess& access, const std::optional<std::string>& distribution);

}  // namespace meridian
