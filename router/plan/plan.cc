#include "router/plan/plan.h"
#include "router/lex/shape.h"
#include "router/plan/defaults.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "router/copy/copy_spec.h"
#include "router/parse/views.h"
#include "router/plan/do_block.h"
#include "router/plan/insert.h"
#include "router/plan/key_writes.h"
#include "router/plan/move_rows.h"
#include "router/plan/program.h"
#include "router/plan/query_program.h"
#include "router/plan/refusal.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// PostgreSQL's own view of `SELECT ... INTO t` is CREATE TABLE t AS: a new local table.
void PlanSelectInto(const Node& into, const Planning& planning, Statement* statement,
                    RouteProgram* program) {
  statement->verb = Verb::kDdl;
  statement->returns_rows = false;
  statement->changes_schema = true;
  statement->writes = statement->differs_on_replica = true;
  PinTemporary(RangeVarView(into), planning, statement, program);
  PlanNewTable(program);
}

// The setting that a call of set_config names; empty: only the server can tell. A column is known
// where WHERE says what it is: set_config(name, ...) FROM pg_settings WHERE name = 'work_mem'.
std::string_view SettingOf(const Node& name, const Node& where) {
  if (name.Is(NodeKind::kConst)) return ConstView(name).is_string() ? ConstView(name).text() : "";
  const OperatorView condition(where);
  if (!name.Is(NodeKind::kColumnRef) || !where.Is(NodeKind::kOperator) ||
      condition.kind() != OperatorView::Kind::kPlain ||
      condition.names() != std::vector<std::string_view>{"="} ||
      !condition.left().Is(NodeKind::kColumnRef) || !condition.right().Is(NodeKind::kConst) ||
      ColumnRefView(condition.left()).names() != ColumnRefView(name).names()) {
    return {};
  }
  const ConstView value(condition.right());
  return value.is_string() ? value.text() : "";
}

// What pg_dump sets, of tables that are not there: it matters to no other shard.
constexpr std::string_view kHarmlessSetting = "restrict_nonsystem_relation_kind";

// Settings on which routing depends must not change unseen. `where` holds for all calls that are
// not in a subquery. `*unknown` is set where the call matters to statements on other shards.
absl::Status CheckSetConfigs(const Node& node, const Node& where, bool* unknown) {
  if (node.Is(NodeKind::kFunction)) {
    const auto names = FunctionView(node).names();
    const NodeList arguments = FunctionView(node).arguments();
    if (!names.empty() && names.back() == "set_config" && !arguments.empty()) {
      const std::string_view setting = SettingOf(arguments[0], where);
      *unknown |= setting != kHarmlessSetting;
      if (setting.empty() || IsRoutingSetting(setting)) {
        return Refused("set_config() may change a setting on which routing depends",
                       "Call it alone, SELECT set_config('name', 'value', false), or use SET.");
      }
    }
  }
  absl::Status status;
  node.ForEachChild([&](const Node& child) {
    status.Update(CheckSetConfigs(child, child.Is(NodeKind::kSelect) ? Node() : where, unknown));
  });
  return status;
}

// set_config('name', 'value', local) as all that a SELECT does is SET.
void PlanSetConfig(const SelectView& select, const Query& query, Planning* planning,
                   Statement* statement) {
  statement->pin = PinReason::kOpaqueSetting;
  if (select.targets().size() != 1 || !select.from().empty() || select.where() ||
      query.functions.size() != 1) {
    return;
  }
  const Node value = TargetView(select.targets()[0]).value();
  if (!value.Is(NodeKind::kFunction)) return;
  const NodeList arguments = FunctionView(value).arguments();
  if (arguments.size() != 3) return;
  if (!arguments[0].Is(NodeKind::kConst) || !arguments[2].Is(NodeKind::kConst)) return;
  const ConstView name(arguments[0]);
  if (!name.is_string() || !ConstView(arguments[2]).is_boolean()) return;
  if (IsTransactionSetting(name.text())) return;  // SET gives no row, so it is no substitute
  const auto value_operand = MakeOperand(arguments[1], *planning);
  const bool is_parameter =
      value_operand.has_value() && value_operand->source == Operand::Source::kParameter;
  if (is_parameter) {
    const bool text = !value_operand->cast || *value_operand->cast == KeyType::kText;
    if (!text || IsRoutingSetting(name.text())) return;
    statement->value_parameter = value_operand->index;
  } else if (!arguments[1].Is(NodeKind::kConst) || !ConstView(arguments[1]).is_string()) {
    return;
  }
  planning->depends_on_literals = true;
  statement->verb = Verb::kSet;
  statement->writes = false;
  statement->pin = PinReason::kNone;
  statement->name = name.text();
  for (char& c : statement->name) c = AsciiLower(c);
  if (!is_parameter) statement->arguments = {std::string(ConstView(arguments[1]).text())};
  statement->local = ConstView(arguments[2]).is_true();
}

void PlanWrite(const Node& node, const Query& query, const Planning& planning,
               RouteProgram* program) {
  AddNeeds(query, planning, program);
  if (query.current_of && query.references.size() == 1 && program->assigned.empty() &&
      program->written_reference_table.empty()) {
    // The row is where the cursor is, which the session knows.
    program->references.clear();
    program->needs_default_shard = false;
    program->kind = RouteProgram::Kind::kAnywhere;
    return;
  }
  if (node.Is(NodeKind::kMerge)) PlanMergeInserts(node, query, planning, program);
  const std::string why = WhyNotSum(node, query);
  if (why.empty() && program->assigned.empty()) {
    program->several = RouteProgram::Several::kSum;
    return;
  }
  if (!program->assigned.empty() && node.Is(NodeKind::kUpdate)) {
    PlanMove(query, why, planning, program);
    return;
  }
  program->several_refusal = RefuseSeveralShards(
      program->assigned.empty() ? why : "changes the distribution key", FirstSharded(query));
}

// The leftmost place of any node below; the largest number where none has a place.
int64_t FirstLocation(const Node& node) {
  int64_t first = std::numeric_limits<int64_t>::max();
  if (node.HasLocation()) first = node.location();
  node.ForEachChild([&](const Node& child) { first = std::min(first, FirstLocation(child)); });
  return first;
}

Verb VerbOf(const Node& node) {
  switch (node.kind()) {
    case NodeKind::kInsert:
      return Verb::kInsert;
    case NodeKind::kUpdate:
      return Verb::kUpdate;
    case NodeKind::kDelete:
      return Verb::kDelete;
    case NodeKind::kMerge:
      return Verb::kMerge;
    default:
      return Verb::kSelect;
  }
}

bool IsQuery(const Node& node) {
  return VerbOf(node) != Verb::kSelect || node.Is(NodeKind::kSelect);
}

}  // namespace

bool OnlyReads(const Query& query) {
  if (query.modifies || query.locks_rows || query.has_foreign_operator) return false;
  return std::none_of(query.functions.begin(), query.functions.end(),
                      [](const auto& function) { return HasEffect(function.first); });
}

// A function of users that is no read in spite of its word fails on a replica, which writes
// nothing.
bool DiffersOnReplica(const Query& query) {
  const bool has_effect =
      std::any_of(query.functions.begin(), query.functions.end(), [&](const auto& function) {
        return HasEffect(function.first) &&
               (function.first != FunctionClass::kUser || query.calls_unknown_function);
      });
  if (query.modifies || query.locks_rows || query.has_foreign_operator || has_effect ||
      query.HasFunction(FunctionClass::kSequenceState) ||
      query.HasFunction(FunctionClass::kRelationSize)) {
    return true;
  }
  return std::any_of(query.references.begin(), query.references.end(), [](const auto& reference) {
    return !reference.catalog() &&
           (reference.relation == nullptr || reference.relation->differs_on_replica);
  });
}

bool ReadsReference(const Query& query) {
  return std::any_of(query.references.begin(), query.references.end(),
                     [](const auto& reference) { return reference.everywhere(); });
}

bool ReadsTables(const Query& query) {
  return std::any_of(query.references.begin(), query.references.end(),
                     [](const auto& reference) { return !reference.catalog(); });
}

PinReason PinOf(const Query& query) {
  if (query.HasFunction(FunctionClass::kSessionLock)) return PinReason::kAdvisoryLock;
  if (query.HasFunction(FunctionClass::kSetting)) return PinReason::kOpaqueSetting;
  return PinReason::kNone;
}

void PlanQuery(const Node& node, TextRange range, Planning* planning, Statement* statement,
               RouteProgram* program) {
  statement->verb = VerbOf(node);
  const Query query = ReadQuery(node, planning);
  UseDefaultsBelow(node, *planning, program);
  statement->writes = !OnlyReads(query);
  statement->pin = PinOf(query);
  statement->reads_sequence_state = query.HasFunction(FunctionClass::kSequenceState) &&
                                    !query.HasFunction(FunctionClass::kSequence);
  if (node.Is(NodeKind::kSelect)) {
    const SelectView select(node);
    statement->returns_rows = true;
    statement->differs_on_replica = DiffersOnReplica(query);
    statement->reads_tables = ReadsTables(query);
    statement->reads_reference = ReadsReference(query);
    AddNeeds(query, *planning, program);
    if (query.HasFunction(FunctionClass::kSetting)) {
      PlanSetConfig(select, query, planning, statement);
      if (statement->verb != Verb::kSet) {
        program->refusal.Update(CheckSetConfigs(node, select.where(), &statement->sets_unknown));
        planning->depends_on_literals = true;
      }
    }
    const std::string why = WhyNotConcat(node, query, *planning);
    if (!why.empty()) {
      program->several_refusal = RefuseSeveralShards(why, FirstSharded(query));
    } else if (query.locked_reference_table.empty()) {
      program->several = RouteProgram::Several::kConcat;
    }
    if (!query.locked_reference_table.empty()) {
      program->several_refusal =
          Refused("rows of reference table " + query.locked_reference_table +
                      " are locked on the default shard, and those of other tables elsewhere",
                  "Lock them one after the other, or name the tables to lock: FOR UPDATE OF ...");
    }
    if (select.into()) PlanSelectInto(select.into(), *planning, statement, program);
    return;
  }
  if (query.HasFunction(FunctionClass::kSetting)) {
    program->refusal = CheckSetConfigs(node, Node(), &statement->sets_unknown);
    planning->depends_on_literals = true;
  }
  if (node.Is(NodeKind::kInsert)) {
    const InsertView insert(node);
    statement->returns_rows = !insert.returning().empty();
    PlanInsert(insert, query, *planning, program);
    if (program->insert.has_value() && insert.source() && !insert.source().values().empty()) {
      const int64_t first = FirstLocation(insert.source().values()[0]);
      program->insert->values_word =
          ValuesWordBefore(planning->text.substr(range.begin, range.size()), first - range.begin,
                           planning->context.standard_conforming_strings);
    }
    return;
  }
  statement->returns_rows = !WriteView(node).returning().empty();
  PlanWrite(node, query, *planning, program);
}

Ref<const Statement> PlanStatement(const Node& node, TextRange range, Planning* planning) {
  Ref<Statement> statement = MakeRef<Statement>();
  statement->readable_text = ReadableShape(planning->text.substr(range.begin, range.size()),
                                           planning->context.standard_conforming_strings);
  auto program = std::make_unique<RouteProgram>();
  program->standard_conforming_strings = planning->context.standard_conforming_strings;
  program->several_refusal = RefuseSeveralShards("cannot be divided between them", nullptr);
  if (IsQuery(node)) {
    PlanQuery(node, range, planning, statement.get(), program.get());
  } else if (node.Is(NodeKind::kCopy)) {
    PlanCopy(node, planning, statement.get(), program.get());
  } else if (!PlanSessionCommand(node, range, planning, statement.get(), program.get())) {
    PlanDdl(node, planning, statement.get(), program.get());
  }
  statement->shared_by_shape = !planning->depends_on_literals && !planning->depends_on_text;
  statement->draws = program->draws;
  statement->route = std::move(program);
  return Ref<const Statement>(statement.get());
}

}  // namespace meridian
