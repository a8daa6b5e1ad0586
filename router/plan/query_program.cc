#include "router/plan/query_program.h"

#include <fmt/format.h>

#include "router/plan/facts.h"
#include "router/plan/key_writes.h"
#include "router/plan/refusal.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

void NeedDefaultShard(std::string object, RouteProgram* program) {
  if (!program->needs_default_shard) program->default_shard_object = std::move(object);
  program->needs_default_shard = true;
}

std::string WhyNotPerShard(const Query& query) {
  const std::string varying = WhyVarying(query);
  if (!varying.empty()) return varying;
  if (query.has_foreign_operator) return "uses an operator that is not built in";
  if (query.has_system_column) return "uses a system column";
  if (query.current_of) return "has WHERE CURRENT OF";
  if (query.has_with) return "has a WITH clause";
  if (query.has_sublink) return "has a subquery";
  return {};
}

std::string WhyNotConcatClause(const SelectView& select) {
  if (select.set_operation() != SelectView::SetOperation::kNone) {
    return "has UNION, INTERSECT or EXCEPT";
  }
  if (!select.distinct().empty()) return "has DISTINCT";
  if (!select.group_by().empty()) return "has GROUP BY";
  if (select.having()) return "has HAVING";
  if (!select.windows().empty()) return "has WINDOW";
  if (!select.order_by().empty()) return "has ORDER BY";
  if (select.limit() || select.offset()) return "has LIMIT or OFFSET";
  if (select.into()) return "has INTO";
  return {};
}

std::string WhyNotConcatTables(const Query& query, const Planning& planning) {
  std::optional<size_t> first;
  for (size_t i = 0; i < query.references.size(); ++i) {
    const TableReference& reference = query.references[i];
    if (reference.view() || reference.in_view) return "reads a view";
    if (reference.local()) return fmt::format("reads {}", reference.table.ToString());
    if (reference.catalog()) return "reads a system catalog";
    if (!reference.sharded()) continue;
    if (reference.nullable) return "has an outer join";
    if (first.has_value() && !JoinedOnKey(query, *first, i, planning)) {
      return fmt::format("joins {} and {} not by their distribution keys",
                         query.references[*first].table.ToString(), reference.table.ToString());
    }
    if (!first.has_value()) first = i;
  }
  return {};
}

// What a view does with a write, its table's defaults among it, would have to be the same on every
// shard.
void RefuseThroughView(const Query& query, size_t written, RouteProgram* program) {
  const TableReference& view = query.references[written];
  for (size_t i = written + 1; i < query.references.size() && query.references[i].in_view; ++i) {
    const TableReference& table = query.references[i];
    if (!table.everywhere()) continue;
    program->refusal.Update(Refused(
        fmt::format("a write through view {}, which reads reference table {}, is not supported",
                    view.table.ToString(), table.table.ToString()),
        "Write to the view's table itself."));
  }
}

}  // namespace

// What gives each shard, or each row, another value.
std::string WhyVarying(const Query& query) {
  for (const FunctionClass kind :
       {FunctionClass::kVolatile, FunctionClass::kEffect, FunctionClass::kUser,
        FunctionClass::kSequence, FunctionClass::kSequenceState, FunctionClass::kSessionLock,
        FunctionClass::kTransactionLock, FunctionClass::kUnlock, FunctionClass::kNotify,
        FunctionClass::kSetting, FunctionClass::kLargeObject, FunctionClass::kRelationSize,
        FunctionClass::kTime}) {
    if (query.HasFunction(kind)) return fmt::format("calls {}()", query.FirstFunction(kind));
  }
  return query.uses_time ? "asks for the current time" : "";
}

const MappedTable* FirstSharded(const Query& query) {
  for (const TableReference& reference : query.references) {
    if (reference.sharded()) return reference.mapped;
  }
  return nullptr;
}

void AddNeeds(const Query& query, const Planning& planning, RouteProgram* program) {
  for (size_t i = 0; i < query.references.size(); ++i) {
    const TableReference& reference = query.references[i];
    if (program->insert.has_value() && i == query.target) continue;
    if (reference.sharded()) {
      program->references.push_back(
          {reference.table, reference.mapped->distribution, KeysOf(query, i, planning)});
    } else if (reference.local()) {
      NeedDefaultShard(reference.table.ToString(), program);
    }
  }
  for (const size_t written : query.written) {
    RefuseThroughView(query, written, program);
    if (query.references[written].everywhere()) {
      program->written_reference_table = query.references[written].table.ToString();
      const std::string why = WhyNotEverywhere(query);
      if (!why.empty()) {
        program->everywhere_refusal = Refused(
            fmt::format(
                "a write of reference table {} must be the same on every shard, but this one {}",
                program->written_reference_table, why),
            "Pass the values as constants or parameters.");
      }
    }
  }
  for (const FunctionClass kind : {FunctionClass::kEffect, FunctionClass::kUser}) {
    if (query.HasFunction(kind)) program->unknown_function = query.FirstFunction(kind);
  }
  program->missing_function = query.missing_function;
  // Sequences and large objects live on the default shard; a lock or a message that is not always
  // in the same place excludes and reaches nobody.
  for (const FunctionClass kind :
       {FunctionClass::kSequence, FunctionClass::kSequenceState, FunctionClass::kSessionLock,
        FunctionClass::kTransactionLock, FunctionClass::kUnlock, FunctionClass::kNotify,
        FunctionClass::kLargeObject}) {
    if (!query.HasFunction(kind)) continue;
    NeedDefaultShard(query.FirstFunction(kind) + "()", program);
    program->default_shard_only = query.FirstFunction(kind) + "()";
  }
  // Every writer of a reference table comes to the default shard, too.
  if (!query.locked_reference_table.empty()) {
    NeedDefaultShard("locked rows of " + query.locked_reference_table, program);
    program->default_shard_only = "a lock of rows of " + query.locked_reference_table;
  }
  PlanAssignments(query, planning, program);
  const bool needs_shard = program->insert.has_value() || !program->references.empty() ||
                           program->needs_default_shard || !program->unknown_function.empty() ||
                           !program->written_reference_table.empty();
  program->kind = needs_shard ? RouteProgram::Kind::kQuery : RouteProgram::Kind::kAnywhere;
}

std::string WhyNotConcat(const Node& select, const Query& query, const Planning& planning) {
  std::string why = WhyNotConcatClause(SelectView(select));
  if (why.empty()) why = WhyNotPerShard(query);
  if (why.empty() && query.has_subquery) why = "has a subquery";
  if (why.empty() && (query.has_aggregate_syntax || query.HasFunction(FunctionClass::kAggregate))) {
    why = "computes an aggregate";
  }
  if (why.empty() && query.HasFunction(FunctionClass::kWindow)) why = "has a window function";
  if (why.empty() && query.HasFunction(FunctionClass::kSetReturning)) {
    why = fmt::format("calls {}(), which returns a set",
                      query.FirstFunction(FunctionClass::kSetReturning));
  }
  if (why.empty() && (query.has_sample || query.has_other_item)) why = "reads more than tables";
  if (why.empty()) why = WhyNotConcatTables(query, planning);
  return why;
}

std::string WhyNotSum(const Node& write, const Query& query) {
  if (!write.Is(NodeKind::kUpdate) && !write.Is(NodeKind::kDelete)) {
    return "is a MERGE";
  }
  if (query.references.size() != 1 || query.has_other_item) return "joins other tables";
  return WhyNotPerShard(query);
}

std::string WhyNotEverywhere(const Query& query) {
  const std::string varying = WhyVarying(query);
  if (!varying.empty()) return varying;
  if (query.has_foreign_operator) return "uses an operator that is not built in";
  if (query.has_system_column) return "uses a system column";
  if (query.current_of) return "has WHERE CURRENT OF";
  if (query.has_sample) return "has TABLESAMPLE";
  if (!query.order_dependence.empty()) return query.order_dependence;
  for (const TableReference& reference : query.references) {
    if (!reference.everywhere()) return fmt::format("reads {}", reference.table.ToString());
  }
  return {};
}

}  // namespace meridian
