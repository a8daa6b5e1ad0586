// What rows get in the columns that a statement leaves to their defaults.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>
#include <vector>

#include "router/plan/query.h"

namespace meridian {

// Refuses a default that would differ from what one server gives: of a sequence, which each shard
// has for itself; for a reference table also of the time or of chance, which the shards would not
// agree on.
absl::Status CheckDefault(const TableReference& table, std::string_view column);
// The same for all columns but those `given`.
absl::Status CheckDefaultsBut(const TableReference& table, const std::vector<std::string>& given);

}  // namespace meridian
