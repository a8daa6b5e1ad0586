// EXPLAIN ROUTE: where a statement would go, as a table. Pure.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string_view>
#include <vector>

#include "router/router.h"
#include "sharding/admin/table_result.h"

namespace meridian {

std::vector<AdminColumn> ExplainRouteColumns();

// One row per shard that the statement goes to, with its part of the text where that differs; one
// row without shard where no shard is certain (any, the session). A refusal is a row, too, with
// SQLSTATE and hint: to learn it is what the operator asked for. Literals are routed; a parameter
// ($1) has no value, and a statement whose route depends on one is described by the shards that it
// may go to (plan "depends on parameters").
// As for a session that is in `context` (AdminHost::default_context), has no hints and is in no
// transaction.
AdminTable ExplainRoute(Router& router, const SqlContext& context, std::string_view text);

}  // namespace meridian
