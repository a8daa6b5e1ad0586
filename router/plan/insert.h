// INSERT: where its rows belong, and its text cut by shard.
#pragma once

#include <absl/status/statusor.h>

#include <vector>

#include "router/decision.h"
#include "router/parse/views.h"
#include "router/plan/program.h"
#include "router/plan/query.h"

namespace meridian {

// Fills `program` for an INSERT.
void PlanInsert(const InsertView& insert, const Query& query, const Planning& planning,
                RouteProgram* program);

// The statement's text for each shard. `shards` has the shard of each row.
absl::StatusOr<std::vector<ShardInsert>> CutInsert(const InsertRows& insert,
                                                   const std::vector<ShardIndex>& shards,
                                                   const Values& values,
                                                   bool standard_conforming_strings);

// Which VALUES is the last one before `location` in `text`.
size_t ValuesWordBefore(std::string_view text, int64_t location, bool standard_conforming_strings);

}  // namespace meridian
