// Commands that define, alter or drop objects: on all shards that hold them.
#include <fmt/format.h>

#include "router/copy/copy_spec.h"
#include "router/parse/views.h"
#include "router/plan/plan.h"
#include "router/plan/program.h"
#include "router/plan/query_program.h"
#include "router/plan/refusal.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Kind = RouteProgram::Kind;

Verb VerbOf(const Node& node) {
  switch (node.kind()) {
    case NodeKind::kTruncate:
      return Verb::kTruncate;
    case NodeKind::kLock:
      return Verb::kLock;
    case NodeKind::kCall:
    case NodeKind::kDo:
      return Verb::kCall;
    case NodeKind::kMaintenance:
    case NodeKind::kCheckpoint:
    case NodeKind::kServerWide:
    case NodeKind::kRefresh:
      return Verb::kMaintenance;
    case NodeKind::kOther:
      return Verb::kOther;
    default:
      return Verb::kDdl;
  }
}

class DdlPlanner {
 public:
  DdlPlanner(const Node& node, Planning* planning, Statement* statement, RouteProgram* program)
      : node_(node), planning_(*planning), statement_(*statement), program_(*program) {}

  void Plan() {
    statement_.verb = VerbOf(node_);
    statement_.writes = true;
    statement_.changes_schema = statement_.verb == Verb::kDdl;
    query_ = ReadQuery(node_, &planning_);
    switch (node_.kind()) {
      case NodeKind::kCall:
      case NodeKind::kDo:
        return PlanCall();
      case NodeKind::kCreateTableAs:
        return PlanCreateTableAs();
      case NodeKind::kCreateTable:
      case NodeKind::kCreateForeignTable:
      case NodeKind::kSequence:
        return OnDefaultShard("a new table");
      default:
        return PlanOnTables();
    }
  }

 private:
  void OnDefaultShard(std::string_view object) {
    program_.kind = Kind::kQuery;
    program_.needs_default_shard = true;
    program_.default_shard_object = object;
  }

  void PlanCall() {
    program_.kind = Kind::kQuery;
    program_.unknown_function =
        node_.Is(NodeKind::kDo) ? "DO" : query_.FirstFunction(FunctionClass::kUser);
    statement_.pin = PinReason::kOpaqueSetting;
  }

  void PlanCreateTableAs() {
    AddNeeds(query_, planning_, &program_);
    PlanNewTable(&program_);
  }

  void PlanOnTables() {
    bool everywhere = query_.references.empty();
    for (const TableReference& reference : query_.references) {
      if (reference.mapped != nullptr) everywhere = true;
    }
    if (!everywhere) return OnDefaultShard(query_.references[0].table.ToString());
    program_.kind = Kind::kEverywhere;
  }

  const Node node_;
  Planning& planning_;
  Statement& statement_;
  RouteProgram& program_;
  Query query_;
};

}  // namespace

void PlanNewTable(RouteProgram* program) {
  program->kind = RouteProgram::Kind::kQuery;
  program->needs_default_shard = true;
  program->default_shard_object = "a new table";
  program->several = RouteProgram::Several::kRefuse;
  program->several_refusal = RefuseSeveralShards(
      "a new table is made on the default shard from what that shard holds", nullptr);
}

void PlanDdl(const Node& node, Planning* planning, Statement* statement, RouteProgram* program) {
  DdlPlanner(node, planning, statement, program).Plan();
}

}  // namespace meridian
