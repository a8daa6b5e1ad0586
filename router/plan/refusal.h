// The words in which the planner refuses.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>
#include <vector>

#include "sharding/shard_map.h"

namespace meridian {

// A statement that needs several shards, and why these can't answer it together. `reason` completes
// "...: it has ORDER BY".
absl::Status RefuseSeveralShards(std::string_view reason, const MappedTable* table);
// The hint that names the condition which would route a statement.
std::string KeyHint(const MappedTable& table);

}  // namespace meridian
