// Names: which table, which column (PostgreSQL: src/backend/parser/parse_relation.c).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "router/plan/query.h"

namespace meridian {

// The table that a name means, by search_path, the schema snapshot and the map.
TableReference FindTable(std::string_view schema, std::string_view name, const Planning& planning);
// The same where schema and name are known, as of a table that a view reads.
TableReference FindTable(const TableName& table, const Planning& planning);

// The column that `names` (a, t.a, s.t.a) means at `level`; nullopt where that is not certain.
std::optional<ColumnOf> ResolveColumn(const Query& query, const Level* level,
                                      const std::vector<std::string_view>& names);

// What an entry's columns tell about a name.
struct EntryColumn {
  enum class Match : uint8_t { kYes, kNo, kUnknown };
  Match match = Match::kUnknown;
  std::optional<ColumnOf> column;  // kYes: nullopt where it is no table's column
};
EntryColumn FindColumn(const Query& query, const Level::Entry& entry, std::string_view column);

// The names of an entry's columns; nullopt: not known.
std::optional<std::vector<std::string_view>> ColumnNames(const Query& query,
                                                         const Level::Entry& entry);

// A column of a reference by the name that the statement has for it.
std::optional<ColumnOf> RealColumn(const Query& query, size_t reference, std::string_view column);

}  // namespace meridian
