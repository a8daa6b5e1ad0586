#include "router/plan/query.h"

#include <algorithm>

#include "router/plan/names.h"

namespace meridian {
namespace {

// Aggregates whose result is the same for any order of rows, whatever the type: not sum, which
// rounds float8.
bool IsOrderFree(std::string_view aggregate) {
  for (const std::string_view name : {"count", "min", "max", "bool_and", "bool_or", "every"}) {
    if (aggregate == name) return true;
  }
  return false;
}

constexpr std::string_view kSystemColumns[] = {"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"};

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class QueryReader {
 public:
  QueryReader(Query* query, Planning* planning) : query_(*query), planning_(*planning) {}

  void Read(const Node& statement) {
    top_ = true;
    Walk(statement, NewLevel(nullptr, /*sees_parent=*/true));
  }

 private:
  Level* NewLevel(const Level* parent, bool sees_parent) {
    Level* level = query_.levels.emplace_back(std::make_unique<Level>()).get();
    level->parent = parent;
    level->sees_parent = sees_parent;
    level->parent_entries = parent == nullptr || !sees_parent ? 0 : parent->entries.size();
    return level;
  }

  void Walk(const Node& node, Level* level) {
    const bool top = std::exchange(top_, false);
    switch (node.kind()) {
      case NodeKind::kSelect:
        query_.has_subquery |= !top;
        return WalkSelect(SelectView(node), level);
      case NodeKind::kInsert:
        return WalkInsert(InsertView(node), level, top);
      case NodeKind::kUpdate:
      case NodeKind::kDelete:
      case NodeKind::kMerge:
        return WalkWrite(node, level, top);
      case NodeKind::kRangeVar:
        AddTable(RangeVarView(node), level, /*nullable=*/false);
        return;
      case NodeKind::kLocking:
        query_.locks_rows = true;  // its names are aliases of tables seen elsewhere
        return;
      case NodeKind::kSubLink:
        query_.has_sublink = true;
        break;
      case NodeKind::kWith:
        return WalkWith(WithView(node), level);
      case NodeKind::kCurrentOf:
        query_.current_of = true;
        return;
      default:
        NoteExpression(node);
    }
    node.ForEachChild([&](const Node& child) { Walk(child, level); });
  }

  void NoteExpression(const Node& node) {
    switch (node.kind()) {
      case NodeKind::kFunction: {
        const FunctionView call(node);
        const auto names = call.names();
        query_.has_aggregate_syntax |= call.has_aggregate_syntax() || call.is_windowed();
        const FunctionClass kind =
            ClassifyFunction(names, planning_.schema, planning_.context.search_path);
        NoteFunction(kind, names);
        if (call.is_windowed() || kind == FunctionClass::kWindow) {
          NoteOrderDependence("has a window function");
        } else if (kind == FunctionClass::kAggregate && !IsOrderFree(names.back())) {
          NoteOrderDependence("computes an aggregate that depends on the order of rows");
        }
        return;
      }
      case NodeKind::kValueFunction:
        // CURRENT_DATE, LOCALTIME, ...; the others (CURRENT_USER) are the same everywhere.
        query_.uses_time |= ValueFunctionView(node).name().find("TIME") != std::string_view::npos ||
                            ValueFunctionView(node).name() == "SVFOP_CURRENT_DATE";
        return;
      case NodeKind::kGrouping:
        query_.has_aggregate_syntax = true;
        return;
      case NodeKind::kOperator: {
        const auto names = OperatorView(node).names();
        query_.has_foreign_operator |= names.size() > 1 && names[0] != "pg_catalog";
        return;
      }
      case NodeKind::kColumnRef: {
        const auto names = ColumnRefView(node).names();
        query_.has_system_column |=
            !names.empty() && std::find(std::begin(kSystemColumns), std::end(kSystemColumns),
                                        names.back()) != std::end(kSystemColumns);
        return;
      }
      default:
        return;
    }
  }

  void NoteOrderDependence(std::string_view what) {
    if (query_.order_dependence.empty()) query_.order_dependence = what;
  }

  void NoteFunction(FunctionClass kind, const std::vector<std::string_view>& names) {
    if (query_.HasFunction(kind)) return;
    std::string name;
    for (const std::string_view part : names) {
      if (!name.empty()) name += '.';
      name += part;
    }
    query_.functions.emplace_back(kind, std::move(name));
  }

  // --- Statements ---

  void WalkSelect(const SelectView& select, Level* outer) {
    Level* level = NewLevel(outer, /*sees_parent=*/true);
    if (select.with()) WalkWith(WithView(select.with()), level);
    if (select.set_operation() != SelectView::SetOperation::kNone) {
      Walk(select.left().node, level);
      Walk(select.right().node, level);
      // ORDER BY of a set operation names output columns.
      level->opaque = true;
    }
    const size_t begin = query_.references.size();
    for (const Node item : select.from()) WalkFrom(item, level, /*nullable=*/false);
    AddCondition(select.where(), level, begin);
    if (select.limit() || select.offset()) NoteOrderDependence("has LIMIT or OFFSET");
    if (!select.distinct().empty() && select.distinct()[0].kind() != NodeKind::kOther) {
      NoteOrderDependence("has DISTINCT ON");
    }
    select.ForEachExpression([&](const Node& child) { Walk(child, level); });
  }

  void WalkInsert(const InsertView& insert, Level* outer, bool top) {
    Level* level = NewLevel(outer, /*sees_parent=*/true);
    if (insert.with()) WalkWith(WithView(insert.with()), level);
    const size_t target = query_.references.size();
    AddWritten(insert.relation(), level, top);
    // The source sees WITH but neither the target nor EXCLUDED.
    Level* source = NewLevel(level, /*sees_parent=*/false);
    if (insert.source()) {
      top_ = top;
      const size_t next_level = query_.levels.size();
      Walk(insert.source().node, source);
      if (top) query_.source_level = query_.levels[next_level].get();
    }
    level->entries.push_back({.alias = "excluded"});
    for (const Node column : ConflictView(insert.on_conflict()).assignments()) {
      query_.assignments.push_back({target, column, /*is_plain=*/false});
    }
    if (insert.on_conflict() && insert.source() && insert.source().values().empty()) {
      NoteOrderDependence("has ON CONFLICT for rows of a query");
    }
    insert.ForEachOther([&](const Node& child) { Walk(child, level); });
  }

  void WalkWrite(const Node& write, Level* outer, bool top) {
    Level* level = NewLevel(outer, /*sees_parent=*/true);
    const WriteView view(write);
    if (view.with()) WalkWith(WithView(view.with()), level);
    const size_t begin = query_.references.size();
    AddWritten(view.relation(), level, top);
    for (const Node column : view.assignments()) {
      query_.assignments.push_back({begin, column, top});
    }
    for (const Node node : view.actions()) {
      const MergeActionView action(node);
      if (action.command() != MergeActionView::Command::kUpdate) continue;
      for (const Node column : action.targets()) {
        query_.assignments.push_back({begin, column, top});
      }
    }
    if (write.Is(NodeKind::kUpdate) && !view.from().empty()) {
      NoteOrderDependence("may find several new values for a row in FROM");
    }
    for (const Node item : view.from()) WalkFrom(item, level, /*nullable=*/false);
    if (view.source()) {
      // What MERGE finds no match for is inserted: ON restricts the target, never the source.
      const size_t target_end = query_.references.size();
      WalkFrom(view.source(), level, /*nullable=*/false);
      if (view.on()) query_.conditions.push_back({view.on(), level, begin, target_end});
    }
    AddCondition(view.where(), level, begin);
    view.ForEachExpression([&](const Node& child) { Walk(child, level); });
  }

  void AddWritten(const Node& relation, Level* level, bool top) {
    query_.modifies = true;
    if (top) {
      query_.target = query_.references.size();
      query_.target_level = level;
    }
    query_.written.push_back(query_.references.size());
    writing_ = true;
    AddTable(RangeVarView(relation), level, /*nullable=*/false);
    writing_ = false;
  }

  void WalkWith(const WithView& with, Level* level) {
    query_.has_with = true;
    // WITH RECURSIVE: each sees all; otherwise each sees those before it.
    if (with.recursive()) {
      for (const Node table : with.tables()) {
        level->common_tables.emplace_back(CommonTableView(table).name());
      }
    }
    for (const Node table : with.tables()) {
      Walk(CommonTableView(table).query(), NewLevel(level, /*sees_parent=*/false));
      level->common_tables.emplace_back(CommonTableView(table).name());
    }
  }

  // --- FROM ---

  void WalkFrom(const Node& item, Level* level, bool nullable) {
    switch (item.kind()) {
      case NodeKind::kRangeVar:
        AddTable(RangeVarView(item), level, nullable);
        return;
      case NodeKind::kJoin:
        return WalkJoin(JoinView(item), level, nullable);
      case NodeKind::kTableSample:
        query_.has_sample = true;
        WalkFrom(TableSampleView(item).relation(), level, nullable);
        TableSampleView(item).ForEachArgument([&](const Node& child) { Walk(child, level); });
        return;
      case NodeKind::kRangeSubselect: {
        const RangeSubselectView subselect(item);
        Level* inner = subselect.lateral() ? level : NewLevel(level, /*sees_parent=*/false);
        Walk(subselect.query(), inner);
        level->entries.push_back({.alias = std::string(subselect.alias().name())});
        return;
      }
      default:
        item.ForEachChild([&](const Node& child) { Walk(child, level); });
        level->opaque = true;
        query_.has_other_item = true;
    }
  }

  void WalkJoin(const JoinView& join, Level* level, bool nullable) {
    using Kind = JoinView::Kind;
    const size_t entries_begin = level->entries.size();
    const size_t left_begin = query_.references.size();
    WalkFrom(join.left(), level,
             nullable || join.kind() == Kind::kRight || join.kind() == Kind::kFull);
    const size_t entries_middle = level->entries.size();
    const size_t right_begin = query_.references.size();
    WalkFrom(join.right(), level,
             nullable || join.kind() == Kind::kLeft || join.kind() == Kind::kFull);
    const size_t right_end = query_.references.size();
    // The rows of an outer join's preserved side are kept whatever ON says; of a full join, both
    // sides'.
    size_t begin = left_begin;
    size_t end = right_end;
    if (join.kind() == Kind::kLeft) begin = right_begin;
    if (join.kind() == Kind::kRight) end = right_begin;
    if (join.kind() == Kind::kFull) begin = end = 0;
    if (join.on()) {
      query_.conditions.push_back({join.on(), level, begin, end});
      Walk(join.on(), level);
    }
    for (const std::string_view column : Names(join.using_columns())) {
      Merge(join, column, level, entries_begin, entries_middle, begin, end);
    }
    // Which columns NATURAL merges depends on all columns of both sides.
    if (join.natural()) level->opaque = level->unqualified_unknown = true;
    if (join.alias()) {
      for (size_t i = entries_begin; i < level->entries.size(); ++i)
        level->entries[i].hidden = true;
      level->entries.push_back({.alias = std::string(join.alias().name())});
    }
    if (join.using_alias()) {
      level->entries.push_back({.alias = std::string(join.using_alias().name())});
    }
  }

  // JOIN ... USING (column).
  void Merge(const JoinView& join, std::string_view column, Level* level, size_t entries_begin,
             size_t entries_middle, size_t targets_begin, size_t targets_end) {
    const auto left = FindIn(*level, column, entries_begin, entries_middle);
    const auto right = FindIn(*level, column, entries_middle, level->entries.size());
    if (left.has_value() && right.has_value()) {
      query_.equalities.push_back({*left, *right, targets_begin, targets_end});
    }
    Level::MergedColumn merged{std::string(column), left};
    if (join.kind() == JoinView::Kind::kRight) merged.column = right;
    // COALESCE of both sides.
    if (join.kind() == JoinView::Kind::kFull) merged.column.reset();
    std::erase_if(level->merged, [&](const auto& other) { return other.name == column; });
    level->merged.push_back(std::move(merged));
  }

  // The column of the one entry in [begin, end) that has it; nullopt where that is not certain.
  std::optional<ColumnOf> FindIn(const Level& level, std::string_view column, size_t begin,
                                 size_t end) const {
    for (const Level::MergedColumn& merged : level.merged) {
      if (merged.name != column) continue;
      if (!merged.column.has_value()) return std::nullopt;
      for (size_t i = begin; i < end; ++i) {
        if (level.entries[i].reference == merged.column->reference) return merged.column;
      }
    }
    std::optional<ColumnOf> found;
    for (size_t i = begin; i < end; ++i) {
      const Level::Entry& entry = level.entries[i];
      if (entry.hidden) continue;
      if (!entry.reference.has_value()) return std::nullopt;
      const std::vector<std::string>& columns = query_.references[*entry.reference].columns;
      if (columns.empty()) return std::nullopt;
      if (!Contains(columns, column)) continue;
      if (found.has_value()) return std::nullopt;
      found = RealColumn(query_, *entry.reference, column);
    }
    return found;
  }

  void AddCondition(const Node& expression, const Level* level, size_t targets_begin) {
    if (!expression) return;
    query_.conditions.push_back({expression, level, targets_begin, query_.references.size()});
  }

  // --- Tables ---

  static bool IsCommonTable(const Level* level, std::string_view name) {
    for (; level != nullptr; level = level->parent) {
      if (Contains(level->common_tables, name)) return true;
    }
    return false;
  }

  void AddTable(const RangeVarView& table, Level* level, bool nullable) {
    Level::Entry entry;
    entry.alias = table.alias() ? table.alias().name() : table.name();
    if (!table.alias()) entry.schema = table.schema();
    if (!writing_ && table.schema().empty() && IsCommonTable(level, table.name())) {
      level->entries.push_back(std::move(entry));
      return;
    }
    TableReference reference = FindTable(table.schema(), table.name(), planning_);
    reference.nullable = nullable;
    if (entry.schema.empty() && !table.alias()) entry.schema = reference.table.schema;
    entry.reference = query_.references.size();
    NameColumns(table.alias(), &reference);
    query_.references.push_back(reference);
    level->entries.push_back(std::move(entry));
    AddTablesOfView(reference);
  }

  static void NameColumns(const AliasView& alias, TableReference* reference) {
    if (reference->relation != nullptr) {
      for (const Column& column : reference->relation->columns) {
        reference->columns.push_back(column.name);
      }
    }
    reference->real_columns = reference->columns;
    if (!alias) return;
    // t AS a (x, y) renames the first columns.
    const auto renamed = Names(alias.columns());
    if (renamed.size() > reference->columns.size()) {
      reference->columns.clear();
      reference->real_columns.clear();
      reference->renamed_unknown = true;
      return;
    }
    for (size_t i = 0; i < renamed.size(); ++i) reference->columns[i] = std::string(renamed[i]);
  }

  void AddTablesOfView(const TableReference& reference) {
    if (reference.relation == nullptr || reference.relation->kind != Relation::Kind::kView) return;
    if (reference.relation->has_opaque_functions) {
      NoteFunction(FunctionClass::kUser, {reference.relation->name.name});
    }
    for (const TableName& name : reference.relation->reads) {
      TableReference inner = FindTable(name, planning_);
      inner.in_view = true;
      query_.references.push_back(std::move(inner));
    }
  }

  Query& query_;
  Planning& planning_;
  bool top_ = false;
  bool writing_ = false;
};

}  // namespace

void CountParameters(const Node& node, std::vector<uint32_t>* uses) {
  // PostgreSQL allows 65535.
  constexpr int64_t kMaxParameter = 65535;
  if (node.Is(NodeKind::kParam)) {
    const int64_t number = ParamView(node).number();
    if (number < 1 || number > kMaxParameter) return;
    if (uses->size() < static_cast<size_t>(number)) uses->resize(number, 0);
    ++(*uses)[number - 1];
    return;
  }
  node.ForEachChild([&](const Node& child) { CountParameters(child, uses); });
}

bool Query::HasFunction(FunctionClass kind) const { return !FirstFunction(kind).empty(); }

std::string Query::FirstFunction(FunctionClass kind) const {
  for (const auto& [other, name] : functions) {
    if (other == kind) return name;
  }
  return {};
}

Query ReadQuery(const Node& statement, Planning* planning) {
  planning->parameter_uses.clear();
  CountParameters(statement, &planning->parameter_uses);
  Query query;
  QueryReader(&query, planning).Read(statement);
  return query;
}

}  // namespace meridian
