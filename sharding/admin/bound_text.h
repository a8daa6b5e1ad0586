// Bounds of key ranges between admin SQL and the key space. Pure.
#pragma once

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <string>
#include <vector>

#include "sharding/admin/command.h"
#include "sharding/shard_map.h"

namespace meridian {

// The bound that the text means for these columns: values where plain, hashes where hashed. Errors
// carry the component's position: 42601 too many components, 42804 a number for a column that is
// none, the type's own for a value that it refuses, 22023 for one that only a server could read.
absl::StatusOr<KeyBound> ResolveBound(absl::Span<const KeyColumn> columns, const BoundText& text);

// The point of the key space at which the key with these values is: all of its components, hashed
// where the columns are. Errors as ResolveBound; 42601 where values are missing.
absl::StatusOr<KeyBound> ResolveKey(const Distribution& distribution,
                                    const std::vector<BoundLiteral>& values);
// The lowest point behind it; 0A000 where there is none that can be named.
absl::StatusOr<KeyBound> NextPoint(absl::Span<const KeyColumn> columns, KeyBound point);

// As it would be written after FROM: "MINVALUE", "42", "'a', 7".
std::string BoundSql(absl::Span<const KeyColumn> columns, const KeyBound& bound);

}  // namespace meridian
