// A statement of several shards for one that may hold rows which it does not own, brought or left
// there by a move: its text, changed so that it leaves them out.
//
// A table in FROM becomes a subquery of its owned rows; the target of an UPDATE or DELETE gets a
// condition. So the shard answers as if the stray rows were not there.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "router/plan/planning.h"
#include "sharding/shard_set.h"

namespace meridian {

// `statement` is the only one of planning->text. 55006 with a hint where the text cannot be changed
// so: views of moving tables, ctid and its like, TABLESAMPLE, MERGE, columns named with their
// schema.
absl::StatusOr<std::string> LeaveOutStrays(const Node& statement, Planning* planning,
                                           ShardIndex shard);

}  // namespace meridian
