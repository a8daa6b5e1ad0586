#include "router/plan/key_writes.h"

#include <fmt/format.h>

#include <algorithm>

#include "router/plan/defaults.h"
#include "router/plan/facts.h"
#include "router/plan/names.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

const Column* ColumnOfKey(const TableReference& table, size_t key) {
  if (table.relation == nullptr) return nullptr;
  for (const Column& column : table.relation->columns) {
    if (column.name == table.mapped->key_columns[key]) return &column;
  }
  return nullptr;
}

absl::Status RefuseComputedKey(const TableReference& table, size_t key) {
  return Refused(fmt::format("cannot compute distribution key column \"{}\" of {}",
                             table.mapped->key_columns[key], table.table.ToString()),
                 "Set the key to a constant or parameter, or delete the row and insert it anew.");
}

// A constant that a statement stores as a key: remembered to be checked, and as a condition.
KeySet StoreKey(const Operand& operand, const TableReference& table, size_t key,
                const Planning& planning, RouteProgram* program) {
  const Distribution& distribution = planning.map.distributions()[table.mapped->distribution];
  const Operand stored = StoredKey(operand, table, key, planning);
  program->assigned.push_back({table.table, table.mapped->key_columns[key],
                               distribution.columns()[key].type, ModifierOfKey(table, key),
                               stored});
  return KeySet::Of({KeyCondition::Op::kIn, static_cast<uint16_t>(key), {stored}});
}

class MergeInsert {
 public:
  MergeInsert(const MergeActionView& action, const Query& query, const Planning& planning,
              RouteProgram* program)
      : action_(action),
        query_(query),
        planning_(planning),
        program_(*program),
        target_(query.references[*query.target]) {}

  absl::Status Plan() {
    std::vector<std::string> columns;
    for (const Node column : action_.targets()) columns.emplace_back(TargetView(column).name());
    if (columns.empty()) columns = target_.real_columns;
    const NodeList values = action_.values();
    const std::vector<std::string>& keys = target_.mapped->key_columns;
    KeySet inserted = KeySet::All();
    std::optional<size_t> source;
    size_t constants = 0;
    for (size_t i = 0; i < keys.size(); ++i) {
      const size_t place = std::find(columns.begin(), columns.end(), keys[i]) - columns.begin();
      if (place >= columns.size() || place >= values.size()) return RefuseComputedKey(target_, i);
      const Node value = values[place];
      if (const auto operand = MakeOperand(value, planning_);
          operand.has_value() && !operand->array) {
        inserted = KeySet::And(inserted, StoreKey(*operand, target_, i, planning_, &program_));
        ++constants;
        continue;
      }
      const auto from = SourceOfKey(value, i, target_, query_.target_level, query_);
      if (!from.has_value() || (source.has_value() && source != from)) {
        return RefuseComputedKey(target_, i);
      }
      source = from;
    }
    // A key made half of constants and half of a source's key is neither's.
    if (source.has_value() && constants > 0) return RefuseComputedKey(target_, 0);
    if (!source.has_value()) {
      program_.references.push_back(
          {target_.table, target_.mapped->distribution, std::move(inserted)});
    }
    return absl::OkStatus();
  }

 private:
  const MergeActionView action_;
  const Query& query_;
  const Planning& planning_;
  RouteProgram& program_;
  const TableReference& target_;
};

}  // namespace

Operand StoredKey(Operand operand, const TableReference& table, size_t key,
                  const Planning& planning) {
  const Column* column = ColumnOfKey(table, key);
  if (column == nullptr || operand.cast.has_value()) return operand;
  const std::optional<KeyType> type = KeyTypeByOid(column->type);
  const KeyType expected =
      planning.map.distributions()[table.mapped->distribution].columns()[key].type;
  if (type.has_value() && *type != expected) operand.cast = type;
  return operand;
}

bool KeyMayDefault(const TableReference& table, size_t key) {
  const Column* column = ColumnOfKey(table, key);
  return column == nullptr || column->default_value != Column::Default::kNone;
}

int32_t ModifierOfKey(const TableReference& table, size_t key) {
  const Column* column = ColumnOfKey(table, key);
  return column == nullptr ? -1 : column->modifier;
}

std::optional<size_t> SourceOfKey(const Node& value, size_t key, const TableReference& target,
                                  const Level* level, const Query& query) {
  if (!value.Is(NodeKind::kColumnRef) || level == nullptr) return std::nullopt;
  const auto column = ResolveColumn(query, level, ColumnRefView(value).names());
  if (!column.has_value()) return std::nullopt;
  const TableReference& reference = query.references[column->reference];
  if (!reference.sharded() || reference.nullable || reference.in_view ||
      reference.mapped->distribution != target.mapped->distribution ||
      (ModifierOfKey(target, key) >= 0 &&
       ModifierOfKey(target, key) != ModifierOfKey(reference, key)) ||
      reference.mapped->key_columns[key] != column->column) {
    return std::nullopt;
  }
  return column->reference;
}

void PlanAssignments(const Query& query, const Planning& planning, RouteProgram* program) {
  KeySet after = KeySet::All();
  std::vector<bool> assigned;
  for (const Assignment& assignment : query.assignments) {
    const TableReference& table = query.references[assignment.reference];
    if (TargetView(assignment.column).value().Is(NodeKind::kDefault)) {
      UseDefault(table, TargetView(assignment.column).name(), program);
    }
    if (!table.sharded()) continue;
    const std::vector<std::string>& keys = table.mapped->key_columns;
    const TargetView column(assignment.column);
    const size_t key = std::find(keys.begin(), keys.end(), column.name()) - keys.begin();
    if (key == keys.size()) continue;
    std::optional<Operand> operand;
    if (column.indirection().empty()) operand = MakeOperand(column.value(), planning);
    if (!assignment.is_plain || !operand.has_value() || operand->array) {
      program->refusal.Update(RefuseComputedKey(table, key));
      return;
    }
    after = KeySet::And(after, StoreKey(*operand, table, key, planning, program));
    assigned.resize(keys.size());
    assigned[key] = true;
  }
  if (assigned.empty()) return;
  const TableReference& target = query.references[*query.target];
  // The columns that stay keep what the conditions say of them.
  const KeySet before = KeysOf(query, *query.target, planning);
  if (before.boxes().size() == 1) {
    for (const KeyCondition& condition : before.boxes()[0]) {
      if (!assigned[condition.column]) after = KeySet::And(after, KeySet::Of(condition));
    }
  }
  program->references.push_back({target.table, target.mapped->distribution, std::move(after)});
}

void PlanMergeInserts(const Node& merge, const Query& query, const Planning& planning,
                      RouteProgram* program) {
  const TableReference& target = query.references[*query.target];
  for (const Node node : WriteView(merge).actions()) {
    const MergeActionView action(node);
    if (action.command() != MergeActionView::Command::kInsert) continue;
    std::vector<std::string> given;
    for (const Node column : action.targets()) given.emplace_back(TargetView(column).name());
    if (given.empty()) given = target.real_columns;
    UseDefaultsBut(target, given, program);
    if (!target.sharded()) continue;
    program->refusal.Update(MergeInsert(action, query, planning, program).Plan());
  }
}

}  // namespace meridian
