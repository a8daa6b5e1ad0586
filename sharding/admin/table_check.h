// May this table be sharded so? The rules about definitions, pure.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "sharding/admin/command.h"
#include "sharding/admin/table_definition.h"
#include "sharding/admin/table_result.h"
#include "sharding/shard_map.h"

namespace meridian {

// An ordinary or partitioned table that is nobody's part. 42809 otherwise, 0A000 for inheritance
// and unlogged or temporary tables.
absl::Status CheckTableKind(const TableName& table, const TableDefinition& definition);

// The key columns exist (42703), have the distribution's types (42804), are NOT NULL (23502), and
// compare as the shard map does (0A000): a deterministic collation where hashed, C or POSIX where
// not.
absl::Status CheckKeyColumns(const AttachTable& command, const Distribution& distribution,
                             const TableDefinition& definition);

// The same columns, types, collations in the same order; 42P17 with the first difference otherwise.
// 0A000 for databases of different encodings.
absl::Status CheckSameDefinition(const TableName& table, const std::string& shard_a,
                                 const TableDefinition& a, const std::string& shard_b,
                                 const TableDefinition& b);

// What sharding makes weaker: unique constraints without the whole key, foreign keys that may point
// to another shard. Neither is an error: the application may know that it holds anyway.
std::vector<AdminNotice> ShardingWarnings(const AttachTable& command, const ShardMap& map,
                                          const TableDefinition& definition);

}  // namespace meridian
