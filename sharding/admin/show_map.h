// The SHOW commands whose answer is in the shard map, and HELP. Pure; any thread.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string_view>
#include <vector>

#include "sharding/admin/command.h"
#include "sharding/admin/table_result.h"
#include "sharding/shard_map.h"

namespace meridian {

// The columns of the answer without making it (Describe). nullopt: the subject is the proxy's
// (CLIENTS, SERVERS, POOLS, STATS, LISTS, DATABASES, SETTINGS, NODES).
std::optional<std::vector<AdminColumn>> MapColumns(ShowSubject subject);
std::vector<AdminColumn> HelpColumns();

// Answers Show of a subject that MapColumns knows, and Help. `version`: what SHOW VERSION tells.
// 42703 for a filter on an unknown column, 42704 for HELP of an unknown command.
// Precondition: RoomOf(command) == CommandRoom::kMap.
absl::StatusOr<AdminResult> AnswerFromMap(const Command& command, const ShardMap& map,
                                          std::string_view version);

}  // namespace meridian
