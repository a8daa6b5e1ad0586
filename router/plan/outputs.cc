#include "router/plan/outputs.h"

#include <algorithm>

#include "router/plan/names.h"

namespace meridian {
namespace {

using Output = Level::OutputColumn;

// PostgreSQL selects no more (MaxTupleAttributeNumber).
constexpr size_t kMaxOutputs = 1664;

class OutputReader {
 public:
  OutputReader(const SelectView& select, const Level& level, size_t first_reference,
               const Query& query, RowUse use, Level::Entry* entry)
      : select_(select),
        level_(level),
        first_reference_(first_reference),
        query_(query),
        follows_(use == RowUse::kEachAlone && FollowsRows()),
        entry_(*entry) {}

  void Read() {
    for (const Node group : select_.group_by()) {
      if (!group.Is(NodeKind::kColumnRef)) continue;
      const auto column = Resolve(group);
      if (column.has_value()) groups_.push_back(*column);
    }
    entry_.outputs_known = true;
    for (const Node node : select_.targets()) {
      const TargetView target(node);
      const Node value = target.value();
      const bool is_column = value.Is(NodeKind::kColumnRef);
      if (is_column && ColumnRefView(value).is_star()) {
        AddStar(ColumnRefView(value).star_of());
      } else if (!target.name().empty()) {
        Add(target.name(), is_column ? Resolve(value) : std::nullopt);
      } else if (is_column && !ColumnRefView(value).names().empty()) {
        Add(ColumnRefView(value).names().back(), Resolve(value));
      } else {
        // PostgreSQL makes up a name.
        Add({}, std::nullopt);
        entry_.outputs_known = false;
      }
    }
  }

 private:
  bool FollowsRows() const {
    if (select_.limit() || select_.offset() || !select_.windows().empty()) return false;
    const NodeList distinct = select_.distinct();
    if (!distinct.empty() && distinct[0].kind() != NodeKind::kOther) return false;  // DISTINCT ON
    for (const Node group : select_.group_by()) {
      if (group.Is(NodeKind::kGroupingSet)) return false;
    }
    return true;
  }

  std::optional<ColumnOf> Resolve(const Node& column) const {
    return ResolveColumn(query_, &level_, ColumnRefView(column).names());
  }

  void Add(std::string_view name, const std::optional<ColumnOf>& column) {
    if (entry_.outputs.size() >= kMaxOutputs) {
      entry_.outputs_known = false;
      return;
    }
    Output& output = entry_.outputs.emplace_back(Output{std::string(name), std::nullopt});
    if (!follows_ || !column.has_value() || column->reference < first_reference_) return;
    const bool grouped = !select_.group_by().empty();
    if (grouped && std::find(groups_.begin(), groups_.end(), *column) == groups_.end()) return;
    output.source = column;
  }

  void AddStar(const std::vector<std::string_view>& table) {
    // Merged columns come once, before the others.
    if (level_.opaque || !level_.merged.empty()) entry_.outputs_known = false;
    if (table.empty()) {
      for (const Level::MergedColumn& merged : level_.merged) Add(merged.name, merged.column);
    }
    for (const Level::Entry& inner : level_.entries) {
      if (inner.hidden || (!table.empty() && inner.alias != table.back())) continue;
      AddEntry(inner, table.empty());
    }
  }

  void AddEntry(const Level::Entry& inner, bool without_merged) {
    const auto add = [&](const std::string& name, const std::optional<ColumnOf>& column) {
      const bool merged = std::any_of(level_.merged.begin(), level_.merged.end(),
                                      [&name](const auto& other) { return other.name == name; });
      if (!without_merged || !merged) Add(name, column);
    };
    if (!inner.reference.has_value()) {
      entry_.outputs_known &= inner.outputs_known;
      for (const Output& output : inner.outputs) add(output.name, output.source);
      return;
    }
    const TableReference& table = query_.references[*inner.reference];
    entry_.outputs_known &= !table.columns.empty();
    for (size_t i = 0; i < table.columns.size(); ++i) {
      add(table.columns[i], ColumnOf{*inner.reference, table.real_columns[i]});
    }
  }

  const SelectView select_;
  const Level& level_;
  const size_t first_reference_;
  const Query& query_;
  const bool follows_;
  Level::Entry& entry_;
  std::vector<ColumnOf> groups_;
};

}  // namespace

void ReadOutputs(const SelectView& select, const Level& level, size_t first_reference,
                 const Query& query, RowUse use, Level::Entry* entry) {
  const bool plain = select.node.Is(NodeKind::kSelect) && select.values().empty() &&
                     select.set_operation() == SelectView::SetOperation::kNone;
  if (plain) OutputReader(select, level, first_reference, query, use, entry).Read();
}

void RenameOutputs(const std::vector<std::string_view>& names, Level::Entry* entry) {
  if (names.empty()) return;
  // Which columns these are depends on how many stand before them.
  if (!entry->outputs_known) entry->outputs.clear();
  for (size_t i = 0; i < std::min(names.size(), entry->outputs.size()); ++i) {
    entry->outputs[i].name = names[i];
  }
}

}  // namespace meridian
