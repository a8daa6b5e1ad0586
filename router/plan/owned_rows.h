// A statement of several shards for one that may hold rows which it does not own, brought or left
// there by a move: its text, changed so that it leaves them out.
//
// WHERE gets a further condition, at each level that reads such a table: so the shard answers as if
// the stray rows were not there.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "router/plan/planning.h"
#include "sharding/shard_set.h"

namespace meridian {

// `statement` is the only one of planning->text. 55006 with a hint where the text cannot be changed
// so: views of moving tables, MERGE, joins that have an alias.
absl::StatusOr<std::string> LeaveOutStrays(const Node& statement, Planning* planning,
                                           ShardIndex shard);

}  // namespace meridian
