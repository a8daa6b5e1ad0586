// What a command about objects may not do to sharded and reference tables.
#pragma once

#include <absl/status/status.h>

#include "router/plan/query.h"

namespace meridian {

// Changes that would part the shard map from the tables: dropping, renaming or moving a mapped
// table, or its key columns. `objects` are the tables that the command names.
absl::Status CheckMapStays(const Node& statement, const std::vector<TableReference>& objects,
                           const Planning& planning);

// Constraints that each shard would check for its own rows only: UNIQUE without the key, FOREIGN
// KEY to rows that may be elsewhere. `target` is the table that gets them.
absl::Status CheckConstraints(const Node& statement, const TableReference& target,
                              const Planning& planning);

// Defaults that would fill rows differently on each shard: sequences of its own for each shard's
// part, and for a reference table anything that is not the same everywhere.
absl::Status CheckDefaults(const Node& statement, const TableReference& target, const Query& query);

}  // namespace meridian
