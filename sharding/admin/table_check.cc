#include "sharding/admin/table_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::Status CheckTextKey(const TableName& table, const KeyColumn& key,
                          const ColumnDefinition& column, const std::string& encoding) {
  if (encoding != "UTF8") {
    return Refused(fmt::format("the text key {}.{} is in a database of encoding {}",
                               table.ToString(), column.name, encoding),
                   "Text keys need databases of encoding UTF8.");
  }
  if (key.hashed && !column.deterministic) {
    return Refused(fmt::format("key column \"{}\" of {} has the non-deterministic collation {}",
                               column.name, table.ToString(), column.collation),
                   "Equal keys could have different hashes. Use a deterministic collation.");
  }
  if (!key.hashed && !column.byte_order) {
    return Refused(
        fmt::format("key column \"{}\" of {} is ordered by the collation {}, not by bytes",
                    column.name, table.ToString(), column.collation),
        fmt::format("ALTER TABLE {} ALTER COLUMN {} TYPE {} COLLATE \"C\"; or use HASH.",
                    table.ToString(), QuoteIdentifier(column.name), column.type));
  }
  return absl::OkStatus();
}

absl::Status CheckKeyColumn(const TableName& table, const KeyColumn& key, const std::string& name,
                            const TableDefinition& definition) {
  const ColumnDefinition* column = definition.FindColumn(name);
  if (column == nullptr) {
    return SqlStatus(
        sqlstate::kUndefinedColumn,
        fmt::format("column \"{}\" of table {} does not exist", name, table.ToString()));
  }
  if (KeyTypeByOid(column->type_oid) != key.type) {
    return SqlStatus("42804",
                     fmt::format("key column \"{}\" of {} is of type {}, the distribution's is {}",
                                 name, table.ToString(), column->type, KeyTypeName(key.type)),
                     "Change the column's type, or attach the table to a distribution of its "
                     "type.");
  }
  if (!column->not_null) {
    return SqlStatus(sqlstate::kNotNullViolation,
                     fmt::format("key column \"{}\" of {} allows NULL", name, table.ToString()),
                     fmt::format("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL;", table.ToString(),
                                 QuoteIdentifier(name)));
  }
  if (column->generated) {
    return Refused(fmt::format("key column \"{}\" of {} is generated", name, table.ToString()),
                   "A row's shard must be known from the statement that inserts it.");
  }
  if (key.type == KeyType::kText) {
    return CheckTextKey(table, key, *column, definition.encoding);
  }
  return absl::OkStatus();
}

std::string ColumnText(const ColumnDefinition* column) {
  if (column == nullptr) return "no column";
  return fmt::format("\"{}\" {}{}{}{}", column->name, column->type,
                     column->collation.empty() ? "" : fmt::format(" COLLATE {}", column->collation),
                     column->not_null ? " NOT NULL" : "", column->generated ? " GENERATED" : "");
}

// Whether each row that a foreign key can point to is on the pointing row's shard.
bool StaysOnShard(const AttachTable& command, const ShardMap& map,
                  const ForeignKeyDefinition& key) {
  const bool to_itself = key.target == command.table;
  const MappedTable* target =
      to_itself ? nullptr : map.FindTable(key.target.schema, key.target.name);
  if (target != nullptr && target->kind == MappedTable::Kind::kReference) return true;
  if (!to_itself && (target == nullptr ||
                     map.distributions()[target->distribution].name() != command.distribution)) {
    return false;
  }
  const std::vector<std::string>& target_keys =
      to_itself ? command.key_columns : target->key_columns;
  for (size_t i = 0; i < command.key_columns.size(); ++i) {
    bool linked = false;
    for (size_t c = 0; c < key.columns.size(); ++c) {
      linked |= key.columns[c] == command.key_columns[i] && key.target_columns[c] == target_keys[i];
    }
    if (!linked) return false;
  }
  return true;
}

}  // namespace

absl::Status CheckTableKind(const TableName& table, const TableDefinition& definition) {
  if (definition.kind != 'r' && definition.kind != 'p') {
    return SqlStatus("42809", fmt::format("{} is not a table", table.ToString()),
                     "Only ordinary and partitioned tables can be sharded or reference tables.");
  }
  if (definition.is_partition) {
    return Refused(fmt::format("{} is a partition", table.ToString()),
                   "Name the partitioned table: its partitions go with it.");
  }
  if (definition.kind == 'r' && definition.has_children) {
    return Refused(fmt::format("{} has inheritance children", table.ToString()),
                   "Only declarative partitioning is supported.");
  }
  if (definition.persistence != 'p') {
    return Refused(fmt::format("{} is an unlogged or temporary table", table.ToString()),
                   fmt::format("ALTER TABLE {} SET LOGGED;", table.ToString()));
  }
  return absl::OkStatus();
}

absl::Status CheckKeyColumns(const AttachTable& command, const Distribution& distribution,
                             const TableDefinition& definition) {
  for (size_t i = 0; i < command.key_columns.size(); ++i) {
    absl::Status column = CheckKeyColumn(command.table, distribution.columns()[i],
                                         command.key_columns[i], definition);
    if (!column.ok()) return column;
  }
  return absl::OkStatus();
}

absl::Status CheckSameDefinition(const TableName& table, const std::string& shard_a,
                                 const TableDefinition& a, const std::string& shard_b,
                                 const TableDefinition& b) {
  if (a.encoding != b.encoding) {
    return Refused(
        fmt::format("the databases of shards \"{}\" and \"{}\" have the encodings {} and {}",
                    shard_a, shard_b, a.encoding, b.encoding),
        "Create the databases of all shards with the same encoding.");
  }
  std::string difference;
  for (size_t i = 0; i < std::max(a.columns.size(), b.columns.size()); ++i) {
    const ColumnDefinition* left = i < a.columns.size() ? &a.columns[i] : nullptr;
    const ColumnDefinition* right = i < b.columns.size() ? &b.columns[i] : nullptr;
    if (left == nullptr || right == nullptr || !left->SameAs(*right)) {
      difference = fmt::format("Column {}: {} on shard \"{}\", {} on shard \"{}\".", i + 1,
                               ColumnText(left), shard_a, ColumnText(right), shard_b);
      break;
    }
  }
  if (difference.empty() && a.kind != b.kind) {
    difference = fmt::format("It is partitioned on one of the shards \"{}\" and \"{}\" only.",
                             shard_a, shard_b);
  }
  if (difference.empty()) return absl::OkStatus();
  return SqlStatus("42P17", fmt::format("table {} is not the same on all shards", table.ToString()),
                   "Make the definitions equal, or drop the wrong one: it is then created anew.",
                   difference);
}

std::vector<AdminNotice> ShardingWarnings(const AttachTable& command, const ShardMap& map,
                                          const TableDefinition& definition) {
  std::vector<AdminNotice> warnings;
  const std::string key = fmt::format("{}", fmt::join(command.key_columns, ", "));
  for (const UniqueDefinition& unique : definition.uniques) {
    const bool covers =
        std::all_of(command.key_columns.begin(), command.key_columns.end(),
                    [&](const std::string& column) { return Contains(unique.columns, column); });
    if (covers) continue;
    warnings.push_back(
        {.message = fmt::format("\"{}\" of {} does not contain the distribution key ({})",
                                unique.name, command.table.ToString(), key),
         .detail = "PostgreSQL enforces it on each shard by itself, not over all of them.",
         .hint = "Add the key columns to the constraint, or use values that are unique by "
                 "construction (uuid)."});
  }
  for (const ForeignKeyDefinition& foreign : definition.foreign_keys) {
    if (StaysOnShard(command, map, foreign)) continue;
    warnings.push_back(
        {.message = fmt::format("foreign key \"{}\" of {} points to {}, whose rows may be on "
                                "another shard",
                                foreign.name, command.table.ToString(), foreign.target.ToString()),
         .detail = "PostgreSQL looks for the row on the same shard only.",
         .hint = "Attach that table to the same distribution with the key in the foreign key, make "
                 "it a reference table, or drop the foreign key."});
  }
  return warnings;
}

}  // namespace meridian
