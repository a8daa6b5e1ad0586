// Bounds of key ranges between admin SQL and the key space. Pure.
#pragma once

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <string>

#include "sharding/admin/command.h"
#include "sharding/shard_map.h"

namespace meridian {

// The bound that the text means for these columns: values where plain, hashes where hashed. Errors
// carry the component's position: 42601 too many components, 42804 a number for a column that is
// none, the type's own for a value that it refuses, 22023 for one that only a server could read.
absl::StatusOr<KeyBound> ResolveBound(absl::Span<const KeyColumn> columns, const BoundText& text);

// As it would be written after FROM: "MINVALUE", "42", "'a', 7".
std::string BoundSql(absl::Span<const KeyColumn> columns, const KeyBound& bound);

}  // namespace meridian
