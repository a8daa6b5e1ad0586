// From what a query touches to where it may go.
#pragma once

#include "router/plan/program.h"
#include "router/plan/query.h"

namespace meridian {

// Adds what `query` needs to `program`: its references with their keys, and what lives on the
// default shard. The sharded target of an INSERT is left out: its rows tell.
void AddNeeds(const Query& query, const Planning& planning, RouteProgram* program);

// Why the shards' answers to this SELECT, put together, may differ from one server's; empty: they
// can't.
std::string WhyNotConcat(const Node& select, const Query& query, const Planning& planning);
// The same for an UPDATE or DELETE run on each shard for its rows.
std::string WhyNotSum(const Node& write, const Query& query);
// Why a write of a reference table could leave different rows on different shards; empty: it can't.
std::string WhyNotEverywhere(const Query& query);

// What gives each shard another value ("calls now()"); empty: nothing.
std::string WhyVarying(const Query& query);

// The first sharded table of the query, for hints.
const MappedTable* FirstSharded(const Query& query);

}  // namespace meridian
