// The DDL of a table, from pg_dump. Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "sharding/admin/shard_access.h"
#include "sharding/admin/table_definition.h"

namespace meridian {

// Statements that create the table as it is on `primary`: its schema, partitions, owned sequences,
// indexes, constraints, triggers, owner and privileges. For the simple protocol, inside a
// transaction; they change settings of the session. 58000 where pg_dump is missing or fails.
absl::StatusOr<std::string> DumpTable(const ShardAccess& access, const Shard& shard,
                                      ShardPrimary& primary, const TableName& table,
                                      const TableDefinition& definition);

// Without the \restrict and \unrestrict lines around it, which only psql understands.
std::string WithoutPsqlCommands(std::string dump);

}  // namespace meridian
