#include "router/plan/defaults.h"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace meridian
