#include "router/plan/names.h"

#include <algorithm>

namespace meridian {
namespace {

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The map is the truth about what is sharded, also where the schema snapshot is behind.
void FindInMap(const Planning& planning, bool search, TableReference* reference) {
  const ShardMap& map = planning.map;
  const MappedTable* mapped = map.FindTable(reference->table.schema, reference->table.name);
  if (search && reference->relation == nullptr) {
    for (const std::string& schema : planning.context.search_path) {
      if (mapped == nullptr) mapped = map.FindTable(schema, reference->table.name);
    }
    if (mapped != nullptr) reference->table = mapped->name;
  }
  if (reference->relation != nullptr) {
    for (const TableName& ancestor : reference->relation->ancestors) {
      if (mapped == nullptr) mapped = map.FindTable(ancestor.schema, ancestor.name);
    }
  }
  reference->mapped = mapped;
}

struct Lookup {
  bool done = false;  // found, or it can't be told: look no further out
  std::optional<ColumnOf> column;
};

Lookup LookUpBare(const Query& query, const Level& level, size_t visible, std::string_view name) {
  if (level.unqualified_unknown) return {true, std::nullopt};
  for (const Level::MergedColumn& merged : level.merged) {
    if (merged.name == name) return {true, merged.column};
  }
  bool known = !level.opaque;
  for (size_t i = 0; i < visible; ++i) {
    const Level::Entry& entry = level.entries[i];
    if (entry.hidden) continue;
    const EntryColumn found = FindColumn(query, entry, name);
    known &= found.match != EntryColumn::Match::kUnknown;
    // If another table here has the column too, PostgreSQL refuses the name as ambiguous.
    if (found.match == EntryColumn::Match::kYes) return {true, found.column};
  }
  return {!known, std::nullopt};
}

Lookup LookUpQualified(const Query& query, const Level& level, size_t visible,
                       const std::vector<std::string_view>& names) {
  const std::string_view table = names[names.size() - 2];
  for (size_t i = 0; i < visible; ++i) {
    const Level::Entry& entry = level.entries[i];
    if (entry.hidden || entry.alias != table) continue;
    if (names.size() == 3 && entry.schema != names[0]) continue;
    if (!entry.reference.has_value()) return {true, FindColumn(query, entry, names.back()).column};
    return {true, RealColumn(query, *entry.reference, names.back())};
  }
  return {level.opaque, std::nullopt};
}

}  // namespace

// A column by the name that the statement has for it.
std::optional<ColumnOf> RealColumn(const Query& query, size_t index, std::string_view column) {
  const TableReference& reference = query.references[index];
  if (reference.renamed_unknown) return std::nullopt;
  if (reference.columns.empty()) return ColumnOf{index, std::string(column)};
  for (size_t i = 0; i < reference.columns.size(); ++i) {
    if (reference.columns[i] == column) return ColumnOf{index, reference.real_columns[i]};
  }
  return std::nullopt;
}

EntryColumn FindColumn(const Query& query, const Level::Entry& entry, std::string_view column) {
  using Match = EntryColumn::Match;
  if (entry.reference.has_value()) {
    const std::vector<std::string>& columns = query.references[*entry.reference].columns;
    if (columns.empty()) return {Match::kUnknown, std::nullopt};
    if (!Contains(columns, column)) return {Match::kNo, std::nullopt};
    return {Match::kYes, RealColumn(query, *entry.reference, column)};
  }
  for (const Level::OutputColumn& output : entry.outputs) {
    if (output.name == column) return {Match::kYes, output.source};
  }
  return {entry.outputs_known ? Match::kNo : Match::kUnknown, std::nullopt};
}

std::optional<std::vector<std::string_view>> ColumnNames(const Query& query,
                                                         const Level::Entry& entry) {
  std::vector<std::string_view> names;
  if (entry.reference.has_value()) {
    const std::vector<std::string>& columns = query.references[*entry.reference].columns;
    if (columns.empty()) return std::nullopt;
    names.assign(columns.begin(), columns.end());
    return names;
  }
  if (!entry.outputs_known) return std::nullopt;
  for (const Level::OutputColumn& output : entry.outputs) names.push_back(output.name);
  return names;
}

std::optional<ColumnOf> ResolveColumn(const Query& query, const Level* level,
                                      const std::vector<std::string_view>& names) {
  if (names.empty() || names.size() > 3) return std::nullopt;
  size_t visible = level->entries.size();
  bool sees = true;
  while (level != nullptr) {
    if (sees) {
      const Lookup found = names.size() == 1 ? LookUpBare(query, *level, visible, names[0])
                                             : LookUpQualified(query, *level, visible, names);
      if (found.done) return found.column;
    }
    sees = level->sees_parent;
    visible = level->parent_entries;
    level = level->parent;
  }
  return std::nullopt;
}

TableReference FindTable(std::string_view schema, std::string_view name, const Planning& planning) {
  TableReference reference;
  reference.table.name = std::string(name);
  if (!schema.empty()) {
    reference.table.schema = std::string(schema);
    reference.relation = planning.schema.Find(schema, name);
  } else {
    reference.relation = planning.schema.Resolve(planning.context.search_path, name);
    if (reference.relation != nullptr) reference.table = reference.relation->name;
  }
  FindInMap(planning, schema.empty(), &reference);
  if (!schema.empty() || reference.relation != nullptr || reference.mapped != nullptr) {
    return reference;
  }
  const std::vector<std::string>& path = planning.context.search_path;
  if (name.starts_with("pg_")) {
    // PostgreSQL keeps this prefix for its own catalogs, which a snapshot need not list.
    reference.table.schema = "pg_catalog";
  } else if (!path.empty() && path[0] != "pg_catalog" && path[0] != "information_schema") {
    reference.table.schema = path[0];
  }
  return reference;
}

TableReference FindTable(const TableName& table, const Planning& planning) {
  TableReference reference;
  reference.table = table;
  reference.relation = planning.schema.Find(table.schema, table.name);
  FindInMap(planning, /*search=*/false, &reference);
  return reference;
}

}  // namespace meridian
