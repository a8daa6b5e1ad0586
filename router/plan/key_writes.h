// Statements that give keys to rows outside of INSERT: UPDATE, MERGE, ON CONFLICT DO UPDATE.
#pragma once

#include "router/plan/program.h"
#include "router/plan/query.h"

namespace meridian {

// Adds to `program` what must hold so that every row stays on the shard of its key, or refuses.
void PlanAssignments(const Query& query, const Planning& planning, RouteProgram* program);
// The same for the rows that a MERGE inserts.
void PlanMergeInserts(const Node& merge, const Query& query, const Planning& planning,
                      RouteProgram* program);

// A key column's value as it is stored: the server gives an untyped parameter the column's type,
// which may differ from the distribution's (integer for bigint).
Operand StoredKey(Operand operand, const TableReference& table, size_t key,
                  const Planning& planning);
// Whether a row without a value for the i-th key column may get one from a default.
bool KeyMayDefault(const TableReference& table, size_t key);
// pg_attribute.atttypmod of the i-th key column.
int32_t ModifierOfKey(const TableReference& table, size_t key);

// The sharded reference, of the same distribution as `target`, whose i-th key column `value` is and
// may be stored in `target`'s unchanged; nullopt: none for certain.
std::optional<size_t> SourceOfKey(const Node& value, size_t key, const TableReference& target,
                                  const Level* level, const Query& query);

}  // namespace meridian
