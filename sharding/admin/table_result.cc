#include "sharding/admin/table_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  text = StripSpace(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The spellings of PostgreSQL's bool (src/backend/utils/adt/bool.c), prefixes left out.
std::optional<bool> ParseBool(std::string_view text) {
  const auto is = [&](std::string_view word) { return EqualsIgnoreCase(StripSpace(text), word); };
  for (const auto word : {"t", "true", "y", "yes", "on", "1"}) {
    if (is(word)) return true;
  }
  for (const auto word : {"f", "false", "n", "no", "off", "0"}) {
    if (is(word)) return false;
  }
  return std::nullopt;
}

// One spelling for each value of a type, so that equal values are equal texts. nullopt: not of the
// type.
std::optional<std::string> Canonical(uint32_t type, std::string_view text) {
  switch (type) {
    case type_oid::kInt4:
    case type_oid::kInt8:
    case type_oid::kNumeric: {
      const auto number = ParseNumber<int64_t>(text);
      return number ? std::optional(std::to_string(*number)) : std::nullopt;
    }
    case type_oid::kFloat8: {
      const auto number = ParseNumber<double>(text);
      return number ? std::optional(fmt::format("{}", *number)) : std::nullopt;
    }
    case type_oid::kBool: {
      const auto value = ParseBool(text);
      return value ? std::optional<std::string>(*value ? "t" : "f") : std::nullopt;
    }
    default:
      return std::string(text);
  }
}

std::string_view TypeName(uint32_t type) {
  switch (type) {
    case type_oid::kInt4:
      return "integer";
    case type_oid::kInt8:
      return "bigint";
    case type_oid::kNumeric:
      return "numeric";
    case type_oid::kFloat8:
      return "double precision";
    case type_oid::kBool:
      return "boolean";
    default:
      return "text";
  }
}

std::optional<size_t> FindColumn(absl::Span<const AdminColumn> columns, std::string_view name) {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return i;
  }
  return std::nullopt;
}

absl::Status UnknownColumn(absl::Span<const AdminColumn> columns, const ShowFilter& filter) {
  std::string names;
  for (const AdminColumn& column : columns) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", column.name);
  }
  return ToStatus({std::string(sqlstate::kUndefinedColumn),
                   fmt::format("column \"{}\" does not exist", filter.column),
                   {},
                   fmt::format("The columns are {}.", names),
                   filter.position});
}

}  // namespace

absl::Status CheckFilters(absl::Span<const AdminColumn> columns,
                          absl::Span<const ShowFilter> filters) {
  for (const ShowFilter& filter : filters) {
    const auto column = FindColumn(columns, filter.column);
    if (!column) return UnknownColumn(columns, filter);
    const uint32_t type = columns[*column].type;
    if (!Canonical(type, filter.value)) {
      return ToStatus(
          {"22P02",
           fmt::format("invalid input syntax for type {}: \"{}\"", TypeName(type), filter.value),
           {},
           {},
           filter.position});
    }
  }
  return absl::OkStatus();
}

void ApplyFilters(absl::Span<const ShowFilter> filters, AdminTable& table) {
  for (const ShowFilter& filter : filters) {
    const size_t column = FindColumn(table.columns, filter.column).value();
    const uint32_t type = table.columns[column].type;
    const auto wanted = Canonical(type, filter.value);
    std::erase_if(table.rows, [&](const AdminRow& row) {
      return !row[column] || Canonical(type, *row[column]) != wanted;
    });
  }
}

absl::StatusOr<AdminResult> ShowResult(const Show& show, AdminTable table) {
  absl::Status checked = CheckFilters(table.columns, show.filters);
  if (!checked.ok()) return checked;
  ApplyFilters(show.filters, table);
  return AdminResult{std::move(table), "SHOW"};
}

}  // namespace meridian
