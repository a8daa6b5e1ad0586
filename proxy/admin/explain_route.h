// EXPLAIN ROUTE: where a statement would go, and why. Pure.
#pragma once

#include <absl/status/statusor.h>

#include <string_view>
#include <vector>

#include "router/router.h"
#include "sharding/admin/table_result.h"

namespace meridian {

std::vector<AdminColumn> ExplainRouteColumns();

// One row per shard that the statement goes to, with what is sent there; one row without a shard
// where it is of no importance which. A refusal is a row, too, with SQLSTATE and hint: to learn it
// is what was asked.
//
// As for a session in `context`, without hints and outside of a transaction. `context` must be
// interned by the worker's SqlContexts, since the plan cache goes by its id. Parameters ($1) have
// no values here: a statement with some is described by the shards that it may go to.
// 42601 for a text that PostgreSQL's grammar refuses.
absl::StatusOr<AdminTable> RouteTable(Router& router, const SqlContext& context,
                                      std::string_view text);

}  // namespace meridian
