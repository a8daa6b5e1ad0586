// Where a key range can be cut. Blocking.
#pragma once

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <optional>

#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

// A key of distribution.ranges()[range], but not its first, below which about `fraction` of its
// rows are: of hashes by calculation, of other keys by a sample of the largest of the
// distribution's tables that has rows there. Keys of several columns are cut between values of the
// first one where that is possible. nullopt: there is no such key. `owner`: of the range; its
// settings are changed.
absl::StatusOr<std::optional<KeyBound>> SplitPoint(PgConnection& owner,
                                                   absl::Span<const MappedTable> tables,
                                                   const Distribution& distribution, size_t range,
                                                   double fraction);

// Whether SplitPoint calculates: it needs no table then.
std::optional<KeyBound> PointOfHashes(const Distribution& distribution, size_t range,
                                      double fraction);

// The map's tables that are of this distribution, which is one of the map's.
std::vector<MappedTable> TablesOf(const ShardMap& map, const Distribution& distribution);

}  // namespace meridian
