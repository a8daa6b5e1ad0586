#include "router/plan/defaults.h"

#include <fmt/format.h>

#include <algorithm>

#include "router/plan/names.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

void Use(const TableReference& table, const Column& column, RouteProgram* program) {
  using Default = Column::Default;
  const bool divided = column.default_value == Default::kDividedSequence;
  if (divided && !table.everywhere()) {
    program->draws = true;
    return;
  }
  const bool sequence = divided || column.default_value == Default::kSequence;
  const bool varies = table.everywhere() && column.default_value == Default::kVarying;
  if (!sequence && !varies) return;
  program->refusal.Update(Refused(
      fmt::format("the default of column \"{}\" of {} {}", column.name, table.table.ToString(),
                  sequence ? "draws from a sequence, and each shard has its own"
                           : "may give another value on each shard"),
      sequence ? "Give the value in the statement; a sequence of its own is on the default shard: "
                 "SELECT nextval(...)."
               : "Give the value in the statement."));
}

// Which columns of its tables an INSERT into a view leaves to their defaults is not known. What the
// view has no default for gets the table's.
void UseDefaultsOfView(const TableReference& view, const Planning& planning,
                       RouteProgram* program) {
  bool of_shards = false;
  for (const TableName& name : view.relation->reads) {
    const TableReference table = FindTable(name, planning);
    if (!table.sharded()) continue;
    of_shards = true;
    UseDefaultsBut(table, {}, program);
  }
  if (!of_shards) return;
  for (const Column& column : view.relation->columns) Use(view, column, program);
}

}  // namespace

void UseDefault(const TableReference& table, std::string_view column, RouteProgram* program) {
  if (table.mapped == nullptr || table.relation == nullptr) return;
  for (const Column& candidate : table.relation->columns) {
    if (candidate.name == column) return Use(table, candidate, program);
  }
}

void UseDefaultsBut(const TableReference& table, const std::vector<std::string>& given,
                    RouteProgram* program) {
  if (table.mapped == nullptr || table.relation == nullptr) return;
  for (const Column& column : table.relation->columns) {
    if (std::find(given.begin(), given.end(), column.name) != given.end()) continue;
    Use(table, column, program);
  }
}

void UseDefaultsOf(const InsertView& insert, const TableReference& target, const Planning& planning,
                   RouteProgram* program) {
  if (target.view()) return UseDefaultsOfView(target, planning, program);
  std::vector<std::string> columns;
  for (const Node column : insert.columns()) columns.emplace_back(TargetView(column).name());
  if (columns.empty() && insert.source() && target.relation != nullptr) {
    for (const Column& column : target.relation->columns) {
      if (!column.generated) columns.push_back(column.name);
    }
  }
  UseDefaultsBut(target, columns, program);
  for (const Node row : insert.source().values()) {
    const NodeList items = ItemsView(row).items();
    // Columns behind the last value get their defaults, too.
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i < items.size() && !items[i].Is(NodeKind::kDefault)) continue;
      UseDefault(target, columns[i], program);
    }
  }
}

void UseDefaultsBelow(const Node& statement, const Planning& planning, RouteProgram* program) {
  statement.ForEachChild([&](const Node& node) {
    if (node.Is(NodeKind::kInsert) || node.Is(NodeKind::kUpdate)) {
      const RangeVarView name(node.Child("relation"));
      const TableReference target = FindTable(name.schema(), name.name(), planning);
      if (node.Is(NodeKind::kInsert)) {
        UseDefaultsOf(InsertView(node), target, planning, program);
      } else {
        for (const Node assignment : WriteView(node).assignments()) {
          const TargetView column(assignment);
          if (column.value().Is(NodeKind::kDefault)) UseDefault(target, column.name(), program);
        }
      }
    }
    UseDefaultsBelow(node, planning, program);
  });
}

}  // namespace meridian
