#include "router/plan/defaults.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

absl::Status Check(const TableReference& table, const Column& column) {
  const bool sequence = column.default_value == Column::Default::kSequence;
  const bool varies = table.everywhere() && column.default_value == Column::Default::kVarying;
  if (!sequence && !varies) return absl::OkStatus();
  return Refused(
      fmt::format("the default of column \"{}\" of {} {}", column.name, table.table.ToString(),
                  sequence ? "draws from a sequence, and each shard has its own"
                           : "may give another value on each shard"),
      sequence ? "Give the value in the statement; a sequence of its own is on the default shard: "
                 "SELECT nextval(...)."
               : "Give the value in the statement.");
}

}  // namespace

absl::Status CheckDefault(const TableReference& table, std::string_view column) {
  if (table.mapped == nullptr || table.relation == nullptr) return absl::OkStatus();
  for (const Column& candidate : table.relation->columns) {
    if (candidate.name == column) return Check(table, candidate);
  }
  return absl::OkStatus();
}

absl::Status CheckDefaultsBut(const TableReference& table, const std::vector<std::string>& given) {
  if (table.mapped == nullptr || table.relation == nullptr) return absl::OkStatus();
  absl::Status status;
  for (const Column& column : table.relation->columns) {
    if (std::find(given.begin(), given.end(), column.name) != given.end()) continue;
    status.Update(Check(table, column));
  }
  return status;
}

}  // namespace meridian
