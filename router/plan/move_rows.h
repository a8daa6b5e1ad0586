// UPDATE of the distribution key: the statement itself changes its rows where they are, then they
// are taken from there and put on the shard of their new key.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "router/decision.h"
#include "router/plan/program.h"
#include "router/plan/query.h"

namespace meridian {

// Sets program->move, or says in several_refusal why the rows cannot move. `why_not_sum`: why the
// statement may not run on several shards as it is; or empty.
void PlanMove(const Query& query, const std::string& why_not_sum, const Planning& planning,
              RouteProgram* program);

// Precondition: program.move, and the decision is kMove. 55006 where ranges on the move are in the
// way.
absl::StatusOr<KeyMove> RunKeyMove(const RouteProgram& program, const ShardMap& map,
                                   const Values& values);

}  // namespace meridian
