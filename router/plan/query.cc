#include "router/plan/query.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <utility>

#include "router/plan/names.h"
#include "router/plan/outputs.h"

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

class QueryReader {
 public:
  QueryReader(Query* query, Planning* planning) : query_(*query), planning_(*planning) {}

  void Read(const Node& statement) {
    statement_ = &statement;
    top_ = true;
    Walk(statement, NewLevel(nullptr, /*sees_parent=*/true));
    // What nothing reads is looked at all the same.
    for (size_t i = 0; i < deferred_.size(); ++i) {
      if (!std::exchange(deferred_[i].walked, true))
        Walk(deferred_[i].table.query(), deferred_[i].level);
    }
  }

 private:
  // A WITH query that is walked where its one reader stands, so that the conditions there reach it.
  struct Deferred {
    const Level* owner;
    CommonTableView table;
    Level* level;
    bool walked = false;
  };

  Level* NewLevel(const Level* parent, bool sees_parent) {
    Level* level = query_.levels.emplace_back(std::make_unique<Level>()).get();
    level->parent = parent;
    level->sees_parent = sees_parent;
    level->parent_entries = parent == nullptr || !sees_parent ? 0 : parent->entries.size();
    level->parent_common_tables = parent == nullptr ? 0 : parent->common_tables.size();
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
        query_.locks_rows = true;
        ++together_;
        NoteLocked(LockingView(node), *level);
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

  // Its names are aliases of what stands in FROM; without names it locks all of that, but not WITH
  // queries.
  void NoteLocked(const LockingView& locking, const Level& level) {
    const NodeList names = locking.relations();
    for (const Level::Entry& entry : level.entries) {
      bool locked = names.empty();
      for (const Node name : names) locked |= RangeVarView(name).name() == entry.alias;
      if (!locked) continue;
      size_t begin = entry.reference.value_or(entry.inside_begin);
      size_t end = entry.reference.has_value() ? begin + 1 : entry.inside_end;
      while (end < query_.references.size() && query_.references[end].in_view) ++end;
      for (; begin < end; ++begin) {
        if (!query_.references[begin].everywhere()) continue;
        query_.locked_reference_table = query_.references[begin].table.ToString();
      }
    }
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
        query_.calls_unknown_function |=
            kind == FunctionClass::kUser && !IsReadByItsWord(names, planning_.schema);
        if (query_.missing_function.empty() && IsMissingFunction(names, planning_.schema)) {
          query_.missing_function = names[0];
        }
        if (call.is_windowed() || kind == FunctionClass::kWindow) {
          ++together_;
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
        if (names.size() < 2 || names[0] == "pg_catalog") return;
        query_.has_foreign_operator = true;
        ++together_;
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
    together_ += HasEffect(kind);
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
    for (const Node node : with.tables()) {
      const CommonTableView table(node);
      Level* const inner = NewLevel(level, /*sees_parent=*/false);
      if (!with.recursive() && table.query().Is(NodeKind::kSelect) && IsReadOnce(table.name())) {
        deferred_.push_back({level, table, inner});
      } else {
        Walk(table.query(), inner);
      }
      level->common_tables.emplace_back(table.name());
    }
  }

  // Whether the name, of whatever it may be, stands but once where tables stand.
  bool IsReadOnce(std::string_view name) {
    if (table_names_.empty()) CountTableNames(*statement_);
    return table_names_[name] == 1;
  }

  void CountTableNames(const Node& node) {
    if (node.Is(NodeKind::kRangeVar)) ++table_names_[RangeVarView(node).name()];
    node.ForEachChild([&](const Node& child) { CountTableNames(child); });
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
        Level::Entry entry{.alias = std::string(subselect.alias().name())};
        entry.inside_begin = query_.references.size();
        WalkSubquery(subselect.query(), inner, nullable, &entry);
        entry.inside_end = query_.references.size();
        RenameOutputs(Names(subselect.alias().columns()), &entry);
        level->entries.push_back(std::move(entry));
        return;
      }
      default:
        item.ForEachChild([&](const Node& child) { Walk(child, level); });
        level->opaque = true;
        query_.has_other_item = true;
    }
  }

  void WalkSubquery(const Node& query, Level* around, bool nullable, Level::Entry* entry) {
    const size_t first_level = query_.levels.size();
    const size_t first_reference = query_.references.size();
    const size_t together = together_;
    Walk(query, around);
    if (first_level == query_.levels.size()) return;
    for (size_t i = first_reference; i < query_.references.size(); ++i) {
      query_.references[i].nullable |= nullable;
    }
    ReadOutputs(SelectView(query), *query_.levels[first_level], first_reference, query_,
                together == together_ ? RowUse::kEachAlone : RowUse::kTogether, entry);
    outputs_ += entry->outputs.size();
    if (outputs_ <= kMaxOutputs) return;
    entry->outputs.clear();
    entry->outputs_known = false;
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
    std::vector<std::string> merged;
    for (const std::string_view column : Names(join.using_columns())) merged.emplace_back(column);
    if (join.natural() && !CommonColumns(*level, entries_begin, entries_middle, &merged)) {
      level->opaque = level->unqualified_unknown = true;
    }
    for (const std::string& column : merged) {
      Merge(join, column, level, entries_begin, entries_middle, begin, end);
    }
    if (join.alias()) {
      for (size_t i = entries_begin; i < level->entries.size(); ++i)
        level->entries[i].hidden = true;
      level->entries.push_back({.alias = std::string(join.alias().name())});
    }
    if (join.using_alias()) {
      level->entries.push_back({.alias = std::string(join.using_alias().name())});
    }
  }

  // The columns that a NATURAL JOIN of the entries [begin, middle) and those behind merges; false:
  // not known.
  bool CommonColumns(const Level& level, size_t begin, size_t middle,
                     std::vector<std::string>* common) const {
    absl::flat_hash_set<std::string_view> left;
    for (size_t i = begin; i < level.entries.size(); ++i) {
      const auto names = ColumnNames(query_, level.entries[i]);
      if (!names.has_value() || level.entries[i].hidden) return false;
      if (i < middle) left.insert(names->begin(), names->end());
      for (const std::string_view name : *names) {
        if (i >= middle && left.erase(name) > 0) common->emplace_back(name);
      }
    }
    return true;
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
    using Match = EntryColumn::Match;
    EntryColumn found{Match::kNo, std::nullopt};
    for (size_t i = begin; i < end; ++i) {
      if (level.entries[i].hidden) continue;
      const EntryColumn here = FindColumn(query_, level.entries[i], column);
      if (here.match == Match::kNo) continue;
      if (here.match == Match::kUnknown || found.match == Match::kYes) return std::nullopt;
      found = here;
    }
    return found.column;
  }

  void AddCondition(const Node& expression, const Level* level, size_t targets_begin) {
    if (!expression) return;
    query_.conditions.push_back({expression, level, targets_begin, query_.references.size()});
  }

  // --- Tables ---

  // The level whose WITH query the name means; nullptr: none.
  static const Level* FindCommonTable(const Level* level, std::string_view name) {
    size_t visible = level->common_tables.size();
    while (level != nullptr) {
      const auto begin = level->common_tables.begin();
      if (std::find(begin, begin + visible, name) != begin + visible) return level;
      visible = level->parent_common_tables;
      level = level->parent;
    }
    return nullptr;
  }

  void AddCommonTable(const Level* owner, const RangeVarView& reader, Level* level, bool nullable,
                      Level::Entry entry) {
    for (Deferred& deferred : deferred_) {
      if (deferred.owner != owner || deferred.table.name() != reader.name()) continue;
      if (std::exchange(deferred.walked, true)) continue;
      const CommonTableView table = deferred.table;
      WalkSubquery(table.query(), deferred.level, nullable, &entry);
      RenameOutputs(Names(table.columns()), &entry);
      RenameOutputs(Names(reader.alias().columns()), &entry);
      break;
    }
    level->entries.push_back(std::move(entry));
  }

  void AddTable(const RangeVarView& table, Level* level, bool nullable) {
    Level::Entry entry;
    entry.alias = table.alias() ? table.alias().name() : table.name();
    if (!table.alias()) entry.schema = table.schema();
    const Level* const owner =
        writing_ || !table.schema().empty() ? nullptr : FindCommonTable(level, table.name());
    if (owner != nullptr) return AddCommonTable(owner, table, level, nullable, std::move(entry));
    TableReference reference = FindTable(table.schema(), table.name(), planning_);
    reference.nullable = nullable;
    reference.location = table.node.location();
    reference.aliased = static_cast<bool>(table.alias());
    reference.only = table.only();
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
      query_.calls_unknown_function = true;
    }
    for (const TableName& name : reference.relation->reads) {
      TableReference inner = FindTable(name, planning_);
      inner.in_view = true;
      query_.references.push_back(std::move(inner));
    }
  }

  // Of all subqueries together.
  static constexpr size_t kMaxOutputs = 16384;

  Query& query_;
  Planning& planning_;
  const Node* statement_ = nullptr;
  bool top_ = false;
  bool writing_ = false;
  // Grows with each thing for which rows count together (RowUse).
  size_t together_ = 0;
  size_t outputs_ = 0;
  absl::flat_hash_map<std::string_view, size_t> table_names_;
  std::vector<Deferred> deferred_;
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
