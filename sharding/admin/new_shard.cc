#include "sharding/admin/new_shard.h"

#include <map>
#include <set>

#include "sharding/admin/reference_copy.h"
#include "sharding/admin/role_copy.h"
#include "sharding/admin/shard_sequences.h"
#include "sharding/catalog/shard_support.h"

namespace meridian {
namespace {

using Definitions = std::map<TableName, TableDefinition>;

// A table behind those that its foreign keys point to, so that it can be created and filled.
void AppendWithTargets(const TableName& name, const Definitions& definitions,
                       std::set<TableName>& seen, std::vector<TableName>& order) {
  const auto found = definitions.find(name);
  if (found == definitions.end() || !seen.insert(name).second) return;
  for (const ForeignKeyDefinition& key : found->second.foreign_keys) {
    AppendWithTargets(key.target, definitions, seen, order);
  }
  order.push_back(name);
}

absl::StatusOr<std::vector<TableName>> InForeignKeyOrder(const ShardMap& map, WorkShard& shard) {
  Definitions definitions;
  for (const MappedTable& table : map.tables()) {
    auto definition = ReadTableDefinition(shard.connection(), table.name);
    if (!definition.ok()) return definition.status();
    definitions[table.name] = definition->value_or(TableDefinition{});
  }
  std::set<TableName> seen;
  std::vector<TableName> order;
  for (const auto& [name, definition] : definitions) {
    AppendWithTargets(name, definitions, seen, order);
  }
  return order;
}

}  // namespace

absl::Status PrepareNewShard(const ShardAccess& access, const ShardMap& planned,
                             WorkShards& shards) {
  absl::Status support = EnsureShardSupport(shards.back().connection());
  if (!support.ok()) return support;
  absl::Status roles = CopyRoles(shards.front().connection(), shards.back().connection());
  if (!roles.ok()) return roles;
  auto order = InForeignKeyOrder(planned, shards.front());
  if (!order.ok()) return order.status();
  std::map<TableName, TableDefinition> definitions;
  for (const TableName& name : *order) {
    auto definition = EnsureTable(access, absl::MakeSpan(shards), name);
    if (!definition.ok()) return definition.status();
    definitions[name] = *std::move(definition);
  }
  for (const TableName& name : *order) {
    const MappedTable& table = *planned.FindTable(name.schema, name.name);
    if (table.kind == MappedTable::Kind::kSharded) {
      absl::Status divided = DivideSequencesAt(shards.front(), shards.back(), name);
      if (!divided.ok()) return divided;
    }
    absl::Status ready =
        table.kind == MappedTable::Kind::kReference
            ? EnsureSameRows(absl::MakeSpan(shards), name, definitions[name], 0)
            : CheckOwnership(absl::MakeSpan(&shards.back(), 1), name, table.key_columns,
                             planned.distributions()[table.distribution]);
    if (!ready.ok()) return ready;
  }
  return absl::OkStatus();
}

}  // namespace meridian
