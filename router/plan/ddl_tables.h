// Which tables a command about objects names, and where they are.
#pragma once

#include <string>
#include <vector>

#include "router/plan/query.h"

namespace meridian {

struct DdlTables {
  std::vector<TableReference> tables;
  std::string mapped;  // the first that all shards hold; empty: none
  std::string local;   // the first that the default shard alone holds
};

// The tables of all RangeVars of `query` and those that DROP, COMMENT and the like name in other
// ways. Objects whose place nobody knows (an index by its name) are not among them.
DdlTables FindDdlTables(const Node& statement, const Query& query, const Planning& planning);

}  // namespace meridian
