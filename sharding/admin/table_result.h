// A result of an admin command: typed columns and rows, as the wire needs them. Pure.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/admin/command.h"

namespace meridian {

// OIDs of the types that admin results use (PostgreSQL: src/include/catalog/pg_type.dat).
namespace type_oid {
inline constexpr uint32_t kBool = 16;
inline constexpr uint32_t kInt8 = 20;
inline constexpr uint32_t kInt4 = 23;
inline constexpr uint32_t kText = 25;
inline constexpr uint32_t kFloat8 = 701;
inline constexpr uint32_t kTimestamptz = 1184;
inline constexpr uint32_t kNumeric = 1700;  // integers only
inline constexpr uint32_t kVoid = 2278;
}  // namespace type_oid

struct AdminColumn {
  std::string name;
  uint32_t type = type_oid::kText;
  friend bool operator==(const AdminColumn&, const AdminColumn&) = default;
};

// A value in PostgreSQL's text format for its column's type; nullopt: NULL.
using AdminValue = std::optional<std::string>;
using AdminRow = std::vector<AdminValue>;

struct AdminTable {
  std::vector<AdminColumn> columns;
  std::vector<AdminRow> rows;  // each has one value per column
};

// A command's whole answer. Without columns there is no RowDescription.
struct AdminResult {
  AdminTable table;
  std::string tag;
};

// Something that the operator should know although the command goes on: a NoticeResponse.
struct AdminNotice {
  std::string severity = "WARNING";  // or "NOTICE", "INFO"
  std::string sqlstate = "01000";
  std::string message;
  std::string detail;
  std::string hint;
};

// Whether the filters name columns that exist and values of their type; 42703, 22P02 with position.
absl::Status CheckFilters(absl::Span<const AdminColumn> columns,
                          absl::Span<const ShowFilter> filters);
// Keeps the rows for which each filter's column equals its value. Numbers and booleans are compared
// as such ('t' = true, 07 = 7), everything else by its text. NULL equals nothing.
// Precondition: CheckFilters gave OK for the table's columns.
void ApplyFilters(absl::Span<const ShowFilter> filters, AdminTable& table);

// The result of SHOW: checked and filtered, tagged "SHOW" as PostgreSQL does.
absl::StatusOr<AdminResult> ShowResult(const Show& show, AdminTable table);

}  // namespace meridian
