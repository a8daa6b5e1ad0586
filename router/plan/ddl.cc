// Commands that define, alter or drop objects: on all shards that hold them.
#include <fmt/format.h>

#include "router/copy/copy_spec.h"
#include "router/parse/views.h"
#include "router/plan/ddl_rules.h"
#include "router/plan/ddl_tables.h"
#include "router/plan/do_block.h"
#include "router/plan/names.h"
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
      case NodeKind::kCreateTable:
        return PlanCreateTable();
      case NodeKind::kCreateTableAs:
        return PlanCreateTableAs();
      case NodeKind::kCreateForeignTable:
        return OnDefaultShard("a new table");
      case NodeKind::kSequence:
        PinTemporary(CreateTableView(node_).relation());
        return OnDefaultShard("a sequence");
      case NodeKind::kCreateView:
        return PlanCreateView();
      case NodeKind::kMaintenance:
        return PlanMaintenance();
      case NodeKind::kLock:
        program_.needs_transaction = true;
        return PlanOnTables();
      case NodeKind::kCheckpoint:
      case NodeKind::kServerWide:
        statement_.needs_own_transaction = true;
        return RunShardByShard("this command changes one server as a whole");
      case NodeKind::kCreateSchema:
        program_.kind = Kind::kEverywhere;
        if (!query_.references.empty()) {
          program_.refusal = Refused("CREATE SCHEMA with objects in it is not supported",
                                     "Create the schema and its objects one by one.");
        }
        return;
      case NodeKind::kDropOwned:
        return RunShardByShard("DROP OWNED may drop tables that the shard map names");
      case NodeKind::kCreateRole:
      case NodeKind::kAlterRole:
        CheckPassword();
        [[fallthrough]];
      default:
        return PlanOnTables();
    }
  }

 private:
  void OnDefaultShard(std::string object) {
    program_.kind = Kind::kQuery;
    program_.needs_default_shard = true;
    program_.default_shard_object = std::move(object);
  }

  // On all shards at once it can't be undone together; on a chosen one it may run.
  void RunShardByShard(std::string_view why) {
    program_.kind = Kind::kEverywhere;
    program_.everywhere_refusal =
        Refused(fmt::format("{}: it cannot run on several shards at once", why),
                "Run it shard by shard, each after SET meridian.shard.");
  }

  void PinTemporary(const RangeVarView& relation) {
    meridian::PinTemporary(relation, planning_, &statement_, &program_);
  }

  // CALL, DO: code that may use any table.
  void PlanCall() {
    if (node_.Is(NodeKind::kDo) && PlanHarmlessDo()) return;
    program_.kind = Kind::kQuery;
    const std::string function = query_.FirstFunction(FunctionClass::kUser);
    program_.unknown_function = function.empty() ? "DO" : function;
    statement_.pin = PinReason::kOpaqueSetting;
    statement_.returns_rows = node_.Is(NodeKind::kCall);
  }

  bool PlanHarmlessDo() {
    std::string body;
    std::string language = "plpgsql";
    for (const Node node : DoView(node_).options()) {
      const OptionView option(node);
      if (option.name() == "as") body = option.text();
      if (option.name() == "language") language = option.text();
    }
    if (language != "plpgsql") return false;
    planning_.depends_on_literals = true;
    const DoBlock block = ReadDoBlock(body, planning_);
    if (!block.harmless) return false;
    program_.kind = Kind::kAnywhere;
    statement_.writes = false;
    if (block.sets) statement_.pin = PinReason::kOpaqueSetting;
    return true;
  }

  void PlanCreateTable() {
    const CreateTableView create(node_);
    PinTemporary(create.relation());
    const TableReference table =
        FindTable(create.relation().schema(), create.relation().name(), planning_);
    if (program_.refusal.ok()) program_.refusal = CheckConstraints(node_, table, planning_);
    // IF NOT EXISTS of a mapped table, or a partition of one, which is then sharded too.
    bool everywhere = table.mapped != nullptr;
    for (const Node parent : create.parents()) {
      const RangeVarView name(parent);
      everywhere |= FindTable(name.schema(), name.name(), planning_).mapped != nullptr;
    }
    if (everywhere) {
      program_.kind = Kind::kEverywhere;
    } else {
      OnDefaultShard("a new table");
    }
  }

  void PlanCreateTableAs() {
    const CreateTableAsView create(node_);
    if (create.query().Is(NodeKind::kExecute)) {
      program_.refusal =
          Refused("CREATE TABLE AS EXECUTE is not supported", "Write the query itself behind AS.");
    }
    PinTemporary(create.target());
    // The new table itself is among the references, as a local table.
    AddNeeds(query_, planning_, &program_);
    PlanNewTable(&program_);
  }

  void PlanCreateView() {
    const RangeVarView view = CreateTableView(node_).relation();
    PinTemporary(view);
    bool local = false;
    bool mapped = false;
    const TableReference self = FindTable(view.schema(), view.name(), planning_);
    for (const TableReference& reference : query_.references) {
      if (reference.table == self.table) continue;
      local |= reference.local();
      mapped |= reference.mapped != nullptr;
    }
    // Where it reads a local table, the other shards could not even define it.
    if (local || (statement_.pin == PinReason::kTemporaryTable && !mapped)) {
      return OnDefaultShard("a view of local tables");
    }
    program_.kind = Kind::kEverywhere;
  }

  void PlanMaintenance() {
    const DdlView ddl(node_);
    const bool is_analyze = node_.type_name() == "VacuumStmt" && !ddl.is_vacuum();
    const bool is_one_cluster = node_.type_name() == "ClusterStmt" && ddl.relation();
    const bool is_one_reindex =
        node_.type_name() == "ReindexStmt" && ddl.reindexes_one() && !ddl.concurrent();
    statement_.needs_own_transaction = !is_analyze && !is_one_cluster && !is_one_reindex;
    PlanOnTables();
  }

  // PostgreSQL makes a verifier with a random salt of a plain password: another one on each shard.
  void CheckPassword() {
    for (const Node node : DdlView(node_).options()) {
      const OptionView option(node);
      if (option.name() != "password" || !option.value()) continue;
      planning_.depends_on_literals = true;
      const std::string password = option.text();
      if (password.starts_with("SCRAM-SHA-256$") || password.starts_with("md5")) continue;
      program_.refusal =
          Refused("a plain password would get another verifier on each shard",
                  "Use \\password in psql, or give the SCRAM-SHA-256 verifier itself.");
    }
  }

  void PlanOnTables() {
    const DdlTables found = FindDdlTables(node_, query_, planning_);
    program_.refusal.Update(CheckMapStays(node_, found.tables, planning_));
    program_.refusal.Update(CheckAtRest(found.tables));
    if (!found.tables.empty()) {
      program_.refusal.Update(CheckConstraints(node_, found.tables[0], planning_));
      program_.refusal.Update(CheckDefaults(node_, found.tables[0], query_));
    }
    if (!found.mapped.empty() && !found.local.empty() && !IsLocalWithReference(found)) {
      program_.refusal.Update(
          Refused(fmt::format("{} is on all shards, but {} on the default shard only", found.mapped,
                              found.local),
                  "Use them in separate commands."));
      return;
    }
    statement_.needs_own_transaction |= RunsConcurrently();
    if (!found.local.empty()) return OnDefaultShard(found.local);
    program_.kind = Kind::kEverywhere;
  }

  // The copy of a range that moves would not notice.
  absl::Status CheckAtRest(const std::vector<TableReference>& tables) const {
    if (statement_.verb != Verb::kDdl && statement_.verb != Verb::kTruncate)
      return absl::OkStatus();
    for (const std::string_view harmless : {"IndexStmt", "CommentStmt", "GrantStmt"}) {
      if (node_.type_name() == harmless) return absl::OkStatus();
    }
    for (const TableReference& table : tables) {
      if (!table.sharded()) continue;
      const Distribution& distribution = planning_.map.distributions()[table.mapped->distribution];
      if (distribution.AllOwners().moving() == 0) continue;
      return SqlStatus(sqlstate::kObjectInUse,
                       fmt::format("a key range of distribution \"{}\", which has table {}, is on "
                                   "the move",
                                   distribution.name(), table.table.ToString()),
                       "Wait until it has moved, or cancel the move: SHOW MOVES and CANCEL MOVE in "
                       "the admin database.");
    }
    return absl::OkStatus();
  }

  bool RunsConcurrently() const {
    // REFRESH ... CONCURRENTLY and REINDEX are told apart elsewhere.
    if (statement_.verb != Verb::kDdl) return false;
    if (DdlView(node_).concurrent()) return true;
    for (const Node command : DdlView(node_).commands()) {
      if (AlterTableCommandView(command).detaches_concurrently()) return true;
    }
    return false;
  }

  // A foreign key from a local table to a reference table: the default shard holds both.
  bool IsLocalWithReference(const DdlTables& found) const {
    if (!node_.Is(NodeKind::kAlterTable)) return false;
    for (const TableReference& table : found.tables) {
      if (table.sharded()) return false;
    }
    return found.tables[0].local();
  }

  const Node node_;
  Planning& planning_;
  Statement& statement_;
  RouteProgram& program_;
  Query query_;
};

}  // namespace

void PinTemporary(const RangeVarView& relation, const Planning& planning, Statement* statement,
                  RouteProgram* program) {
  const bool temporary = relation.temporary() || relation.schema() == "pg_temp";
  if (!temporary) return;
  statement->pin = PinReason::kTemporaryTable;
  statement->changes_schema = false;
  // The temporary table would hide the mapped one on its server, and only there.
  const TableReference hidden = FindTable({}, relation.name(), planning);
  if (hidden.mapped == nullptr) return;
  program->refusal =
      Refused(fmt::format("a temporary table cannot have the name of {}", hidden.table.ToString()),
              "Give it another name.");
}

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
