// What rows get in the columns that a statement leaves to their defaults.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>
#include <vector>

#include "router/parse/views.h"
#include "router/plan/program.h"
#include "router/plan/query.h"

namespace meridian {

// Refuses a default that would differ from what one server gives: of a sequence, which each shard
// has for itself, unless each has its part of the values; for a reference table also of the time or
// of chance, which the shards would not agree on.
void UseDefault(const TableReference& table, std::string_view column, RouteProgram* program);
// The same for all columns but those `given`.
void UseDefaultsBut(const TableReference& table, const std::vector<std::string>& given,
                    RouteProgram* program);
// Those of an INSERT into `target`.
void UseDefaultsOf(const InsertView& insert, const TableReference& target, const Planning& planning,
                   RouteProgram* program);
// Those of the INSERTs and UPDATEs below the statement, in its WITH clauses.
void UseDefaultsBelow(const Node& statement, const Planning& planning, RouteProgram* program);

}  // namespace meridian
