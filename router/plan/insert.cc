#include "router/plan/insert.h"

#include <fmt/format.h>

#include <algorithm>

#include "router/plan/defaults.h"
#include "router/plan/key_writes.h"
#include "router/plan/query_program.h"
#include "router/plan/refusal.h"
#include "router/plan/stored_key.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

class InsertPlanner {
 public:
  InsertPlanner(const InsertView& insert, const Query& query, const Planning& planning,
                RouteProgram* program)
      : insert_(insert),
        query_(query),
        planning_(planning),
        program_(*program),
        target_(query.references[*query.target]) {}

  void Plan() {
    if (target_.sharded()) program_.refusal.Update(PlanRows());
    UseDefaultsOf(insert_, target_, planning_, &program_);
    AddNeeds(query_, planning_, &program_);
    program_.several_refusal = RefuseSeveralShards(
        "an INSERT must have its source and its rows on one shard", FirstSharded(query_));
  }

 private:
  std::string TableText() const { return target_.table.ToString(); }

  absl::Status PlanRows() {
    const MappedTable& mapped = *target_.mapped;
    InsertRows& rows = program_.insert.emplace();
    rows.table = target_.table;
    rows.distribution = mapped.distribution;
    rows.key_columns = mapped.key_columns;
    for (size_t i = 0; i < mapped.key_columns.size(); ++i) {
      rows.modifiers.push_back(ModifierOfKey(target_, i));
    }
    rows.split_refusal = SplitRefusal();
    std::vector<size_t> places;
    if (const absl::Status status = FindPlaces(&places); !status.ok()) return status;
    if (!insert_.source()) return NoKey(0);
    if (insert_.source().values().empty()) return PlanSelect(places);
    for (const Node row : insert_.source().values()) {
      const NodeList items = ItemsView(row).items();
      auto& keys = rows.keys.emplace_back();
      for (size_t i = 0; i < places.size(); ++i) {
        if (places[i] >= items.size()) return NoKey(i);
        const Node value = items[places[i]];
        if (value.Is(NodeKind::kDefault)) return NoKey(i);
        const auto operand = MakeOperand(value, planning_);
        if (!operand.has_value() || operand->array) return NotConstant(mapped.key_columns[i]);
        keys.push_back(StoredKey(*operand, target_, i, planning_));
      }
    }
    return absl::OkStatus();
  }

  // The place of each key column among a row's values.
  absl::Status FindPlaces(std::vector<size_t>* places) const {
    std::vector<std::string> columns;
    for (const Node column : insert_.columns()) columns.emplace_back(TargetView(column).name());
    if (columns.empty()) columns = target_.real_columns;
    if (columns.empty()) {
      return Refused(fmt::format("the columns of {} are not known", TableText()),
                     "Name the columns: INSERT INTO t (a, b) VALUES ...");
    }
    const std::vector<std::string>& keys = target_.mapped->key_columns;
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto found = std::find(columns.begin(), columns.end(), keys[i]);
      if (found == columns.end()) return NoKey(i);
      places->push_back(static_cast<size_t>(found - columns.begin()));
    }
    return absl::OkStatus();
  }

  // INSERT ... SELECT: each row's key must be a constant, or the key of the row of a co-located
  // table that it is made from.
  absl::Status PlanSelect(const std::vector<size_t>& places) {
    const SelectView select = insert_.source();
    const std::vector<std::string>& key_columns = target_.mapped->key_columns;
    program_.insert->split_refusal = RefuseSeveralShards(
        "INSERT ... SELECT works only where its source and its rows are on one shard",
        FirstSharded(query_));
    if (select.set_operation() != SelectView::SetOperation::kNone)
      return NotConstant(key_columns[0]);
    const NodeList targets = select.targets();
    for (const Node target : targets) {
      const Node value = TargetView(target).value();
      // A `*` stands for several columns.
      if (value.Is(NodeKind::kColumnRef) && ColumnRefView(value).names().empty()) {
        return NotConstant(key_columns[0]);
      }
    }
    absl::InlinedVector<Operand, 1> constants;
    std::optional<size_t> source;
    for (size_t i = 0; i < places.size(); ++i) {
      if (places[i] >= targets.size()) return NoKey(i);
      const Node value = TargetView(targets[places[i]]).value();
      if (const auto operand = MakeOperand(value, planning_);
          operand.has_value() && !operand->array) {
        constants.push_back(StoredKey(*operand, target_, i, planning_));
        continue;
      }
      const std::optional<size_t> reference =
          SourceOfKey(value, i, target_, query_.source_level, query_);
      if (!reference.has_value() || (source.has_value() && source != reference)) {
        return NotConstant(key_columns[i]);
      }
      source = reference;
    }
    if (source.has_value() && !constants.empty()) return NotConstant(key_columns[0]);
    if (!source.has_value()) program_.insert->keys.push_back(std::move(constants));
    return absl::OkStatus();
  }

  absl::Status SplitRefusal() const {
    std::string why;
    if (query_.has_with) why = "has a WITH clause";
    if (query_.has_sublink || query_.has_subquery) why = "has a subquery";
    if (query_.HasFunction(FunctionClass::kUser)) {
      why = fmt::format("calls {}()", query_.FirstFunction(FunctionClass::kUser));
    }
    if (query_.HasFunction(FunctionClass::kTime) || query_.uses_time) {
      why = "asks for the current time, which differs between them";
    }
    if (insert_.on_conflict() && !insert_.returning().empty()) {
      why = "has both ON CONFLICT and RETURNING";
    }
    // VALUES takes them as any query does; each shard would have its own first rows.
    const SelectView source = insert_.source();
    if (source.limit() || source.offset()) why = "has LIMIT or OFFSET";
    if (!source.order_by().empty()) why = "has ORDER BY";
    if (why.empty()) return absl::OkStatus();
    return Refused(fmt::format("an INSERT with rows for several shards {}", why),
                   "Insert the rows of each shard in a statement of its own.");
  }

  absl::Status NoKey(size_t key) const {
    const std::string& column = target_.mapped->key_columns[key];
    if (!KeyMayDefault(target_, key)) return NullKey(target_.table, column);
    return Refused(
        fmt::format("INSERT into {} gives no value for distribution key column \"{}\"", TableText(),
                    column),
        "The key decides on which shard a row lives: give it in the statement, not by DEFAULT.");
  }
  absl::Status NotConstant(std::string_view column) const {
    return Refused(
        fmt::format("INSERT into {} computes distribution key column \"{}\"", TableText(), column),
        "Give the key as a constant or parameter.");
  }

  const InsertView insert_;
  const Query& query_;
  const Planning& planning_;
  RouteProgram& program_;
  const TableReference& target_;
};

}  // namespace

void PlanInsert(const InsertView& insert, const Query& query, const Planning& planning,
                RouteProgram* program) {
  InsertPlanner(insert, query, planning, program).Plan();
}

}  // namespace meridian
