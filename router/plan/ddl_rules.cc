#include "router/plan/ddl_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "router/plan/names.h"
#include "router/plan/query_program.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

bool IsKeyColumn(const TableReference& table, std::string_view column) {
  if (!table.sharded()) return false;
  const auto& keys = table.mapped->key_columns;
  return std::find(keys.begin(), keys.end(), column) != keys.end();
}

std::string DetachHint(const TableReference& table) {
  const std::string name = table.mapped->name.ToString();
  if (table.everywhere()) {
    return fmt::format("DROP REFERENCE TABLE {} in the admin database first.", name);
  }
  return fmt::format("ALTER DISTRIBUTION ... DETACH TABLE {} in the admin database first.", name);
}

absl::Status RefuseWhole(std::string_view what, const TableReference& table) {
  return Refused(fmt::format("{} of {}, which the shard map names, is not supported", what,
                             table.table.ToString()),
                 DetachHint(table));
}

absl::Status RefuseKey(const TableReference& table, std::string_view column) {
  return Refused(fmt::format("cannot drop, rename or retype distribution key column \"{}\" of {}",
                             column, table.table.ToString()),
                 DetachHint(table));
}

// A schema goes with all that is in it.
absl::Status CheckSchema(std::string_view schema, std::string_view what, const Planning& planning) {
  for (const MappedTable& table : planning.map.tables()) {
    if (table.name.schema != schema) continue;
    return Refused(fmt::format("{} schema \"{}\", which holds {}, is not supported", what, schema,
                               table.name.ToString()),
                   "Detach its tables in the admin database first.");
  }
  return absl::OkStatus();
}

absl::Status CheckAlterTable(const DdlView& alter, const TableReference& table) {
  for (const Node node : alter.commands()) {
    const AlterTableCommandView command(node);
    const std::string_view kind = command.kind();
    if ((kind == "AT_DropColumn" || kind == "AT_AlterColumnType") &&
        IsKeyColumn(table, command.column())) {
      return RefuseKey(table, command.column());
    }
  }
  return absl::OkStatus();
}

// Whether all key columns of the table are among `columns`.
bool HoldsKey(const TableReference& table, const std::vector<std::string_view>& columns) {
  return std::all_of(table.mapped->key_columns.begin(), table.mapped->key_columns.end(),
                     [&](const std::string& key) {
                       return std::find(columns.begin(), columns.end(), key) != columns.end();
                     });
}

absl::Status RefuseUnique(const TableReference& table) {
  return Refused(
      fmt::format(
          "a unique constraint of {} must contain its distribution key, since each shard sees "
          "only its own rows",
          table.table.ToString()),
      "Add the key columns to the constraint.");
}

absl::Status CheckForeign(const ConstraintView& constraint, std::vector<std::string_view> columns,
                          const TableReference& table, const Planning& planning) {
  const RangeVarView name = constraint.referenced();
  const TableReference referenced = FindTable(name.schema(), name.name(), planning);
  if (!referenced.sharded()) return absl::OkStatus();
  const absl::Status refusal = Refused(
      fmt::format(
          "a foreign key from {} to sharded table {} must join them by their distribution keys",
          table.table.ToString(), referenced.table.ToString()),
      "Shard both tables by the referencing columns, in one distribution.");
  if (!table.sharded() || table.mapped->distribution != referenced.mapped->distribution) {
    return refusal;
  }
  if (constraint.foreign_columns().size() > 0) columns = constraint.foreign_columns();
  const auto targets = constraint.referenced_columns();
  if (targets.size() != columns.size()) return refusal;
  for (size_t i = 0; i < table.mapped->key_columns.size(); ++i) {
    bool joined = false;
    for (size_t j = 0; j < columns.size(); ++j) {
      joined |= columns[j] == table.mapped->key_columns[i] &&
                targets[j] == referenced.mapped->key_columns[i];
    }
    if (!joined) return refusal;
  }
  return absl::OkStatus();
}

// Walks all constraints below `node`; `column` is the column definition that they stand in.
absl::Status CheckBelow(const Node& node, std::string_view column, const TableReference& table,
                        const Planning& planning) {
  if (node.Is(NodeKind::kConstraint)) {
    const ConstraintView constraint(node);
    std::vector<std::string_view> columns = constraint.columns();
    if (columns.empty() && !column.empty()) columns.push_back(column);
    if (constraint.kind() == ConstraintView::Kind::kForeign) {
      return CheckForeign(constraint, columns, table, planning);
    }
    // A constraint made from an index: that was checked when it was created.
    const bool per_shard = constraint.kind() == ConstraintView::Kind::kUnique && table.sharded() &&
                           !constraint.uses_index();
    if (per_shard && (constraint.is_exclusion() || !HoldsKey(table, columns))) {
      return RefuseUnique(table);
    }
    return absl::OkStatus();
  }
  const std::string_view inner = ColumnDefinitionView(node).name();
  absl::Status status;
  node.ForEachChild([&](const Node& child) {
    if (status.ok()) status = CheckBelow(child, inner.empty() ? column : inner, table, planning);
  });
  return status;
}

// serial columns and GENERATED ... AS IDENTITY.
bool DrawsFromSequence(const Node& node) {
  if (node.Is(NodeKind::kConstraint) && ConstraintView(node).is_identity()) return true;
  if (node.Is(NodeKind::kTypeName)) {
    const auto names = TypeNameView(node).names();
    for (const std::string_view serial :
         {"serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"}) {
      if (names.size() == 1 && names[0] == serial) return true;
    }
  }
  bool draws = false;
  node.ForEachChild([&](const Node& child) { draws |= DrawsFromSequence(child); });
  return draws;
}

}  // namespace

absl::Status CheckMapStays(const Node& statement, const std::vector<TableReference>& objects,
                           const Planning& planning) {
  const DdlView ddl(statement);
  const std::string_view type = ddl.object_type();
  if (type == "OBJECT_SCHEMA" && statement.Is(NodeKind::kDrop)) {
    for (const std::string_view name : Names(ddl.objects())) {
      if (const absl::Status status = CheckSchema(name, "DROP", planning); !status.ok())
        return status;
    }
  }
  if (type == "OBJECT_SCHEMA" && statement.Is(NodeKind::kRename)) {
    return CheckSchema(ddl.column(), "RENAME", planning);
  }
  for (const TableReference& table : objects) {
    if (statement.Is(NodeKind::kRename) && table.mapped == nullptr && ddl.column().empty()) {
      // A temporary table would hide the mapped one.
      const TableReference hidden = FindTable({}, ddl.new_name(), planning);
      if (hidden.mapped == nullptr) continue;
      return Refused(fmt::format("a table cannot get the name of {}", hidden.table.ToString()),
                     "Give it another name.");
    }
    if (table.mapped == nullptr) continue;
    const bool whole = type == "OBJECT_TABLE" || type == "OBJECT_FOREIGN_TABLE";
    if (statement.Is(NodeKind::kDrop) && whole) return RefuseWhole("DROP TABLE", table);
    if (statement.Is(NodeKind::kMoveToSchema) && whole) return RefuseWhole("SET SCHEMA", table);
    if (statement.Is(NodeKind::kRename) && whole) return RefuseWhole("RENAME", table);
    if (statement.Is(NodeKind::kRename) && IsKeyColumn(table, ddl.column())) {
      return RefuseKey(table, ddl.column());
    }
    if (statement.Is(NodeKind::kCreateRule)) return RefuseWhole("CREATE RULE", table);
    if (statement.Is(NodeKind::kAlterTable)) {
      if (const absl::Status status = CheckAlterTable(ddl, table); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDefaults(const Node& statement, const TableReference& target,
                           const Query& query) {
  if (!statement.Is(NodeKind::kAlterTable) || target.mapped == nullptr) return absl::OkStatus();
  if (DrawsFromSequence(statement) || query.HasFunction(FunctionClass::kSequence)) {
    return Refused(
        fmt::format(
            "a column of {} cannot draw from a sequence, since each shard would have its own",
            target.table.ToString()),
        "Draw the value first: SELECT nextval(...) of a sequence on the default shard.");
  }
  const std::string why = target.everywhere() ? WhyVarying(query) : std::string();
  if (why.empty()) return absl::OkStatus();
  return Refused(fmt::format("this change of reference table {} {}, which differs between shards",
                             target.table.ToString(), why),
                 "Use constants.");
}

absl::Status CheckConstraints(const Node& statement, const TableReference& target,
                              const Planning& planning) {
  if (statement.Is(NodeKind::kCreateIndex)) {
    const CreateIndexView index(statement);
    if (target.sharded() && index.unique() && !HoldsKey(target, index.columns())) {
      return RefuseUnique(target);
    }
    return absl::OkStatus();
  }
  return CheckBelow(statement, {}, target, planning);
}

}  // namespace meridian
