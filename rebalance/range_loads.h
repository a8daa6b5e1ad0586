// What clients do with each key range, as all proxies have told in the last seconds (table
// range_load). Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "rebalance/balance_policy.h"
#include "sharding/catalog/store.h"
#include "sharding/shard_map.h"

namespace meridian {

// Microseconds of statements per second, of all distributions or of one. RangeLoad::middle divides
// the keys that were used.
absl::StatusOr<std::vector<RangeLoad>> MeasureLoads(const ShardMap& map, CatalogStore& store,
                                                    const std::optional<std::string>& distribution);

// A key behind the first of these, which are of the range, with about half of them below it;
// between values of the first column where that is possible. nullopt: there is none.
std::optional<KeyBound> MiddleOfKeys(std::vector<KeyTuple> keys);

}  // namespace meridian
