// Commands about the session: transactions, settings, prepared statements, cursors, LISTEN.
#include <fmt/format.h>

#include <algorithm>

#include "router/copy/copy_spec.h"
#include "router/lex/scanner.h"
#include "router/parse/views.h"
#include "router/plan/do_block.h"
#include "router/plan/plan.h"
#include "router/plan/program.h"
#include "router/plan/query.h"
#include "router/plan/refusal.h"
#include "router/plan/words.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Kind = RouteProgram::Kind;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = AsciiLower(c);
  return lower;
}

Verb VerbOfTransaction(std::string_view kind) {
  static constexpr std::pair<std::string_view, Verb> kVerbs[] = {
      {"TRANS_STMT_BEGIN", Verb::kBegin},
      {"TRANS_STMT_START", Verb::kBegin},
      {"TRANS_STMT_COMMIT", Verb::kCommit},
      {"TRANS_STMT_ROLLBACK", Verb::kRollback},
      {"TRANS_STMT_SAVEPOINT", Verb::kSavepoint},
      {"TRANS_STMT_RELEASE", Verb::kReleaseSavepoint},
      {"TRANS_STMT_ROLLBACK_TO", Verb::kRollbackToSavepoint},
      {"TRANS_STMT_PREPARE", Verb::kPrepareTransaction},
      {"TRANS_STMT_COMMIT_PREPARED", Verb::kFinishPrepared},
      {"TRANS_STMT_ROLLBACK_PREPARED", Verb::kFinishPrepared},
  };
  for (const auto& [name, verb] : kVerbs) {
    if (name == kind) return verb;
  }
  return Verb::kOther;
}

class SessionPlanner {
 public:
  SessionPlanner(TextRange range, Planning* planning, Statement* statement, RouteProgram* program)
      : range_(range), planning_(*planning), statement_(*statement), program_(*program) {}

  bool Plan(const Node& node) {
    program_.kind = Kind::kSession;
    statement_.writes = false;
    // What these say depends on their text as a whole.
    planning_.depends_on_literals = !planning_.literals.empty();
    const NamedView named(node);
    switch (node.kind()) {
      case NodeKind::kTransaction:
        statement_.verb = VerbOfTransaction(TransactionView(node).kind());
        statement_.name = TransactionView(node).savepoint();
        statement_.chain = TransactionView(node).chain();
        AddCharacteristics(TransactionView(node).options(), "");
        return true;
      case NodeKind::kSet:
        PlanSet(SetView(node));
        return true;
      case NodeKind::kConstraints:
        statement_.verb = Verb::kSetTransaction;
        statement_.name = "constraints";
        return true;
      case NodeKind::kShow:
        statement_.verb = Verb::kShow;
        statement_.name = Lower(named.name());
        statement_.returns_rows = true;
        program_.kind = Kind::kAnywhere;
        return true;
      case NodeKind::kDiscard:
        statement_.verb = Verb::kDiscard;
        statement_.all = DiscardView(node).target() == "DISCARD_ALL";
        if (!statement_.all) statement_.name = DiscardView(node).target().substr(8);
        return true;
      case NodeKind::kPrepare:
        PlanPrepare(named);
        return true;
      case NodeKind::kExecute:
        PlanExecute(named);
        return true;
      case NodeKind::kDeallocate:
        SetNameOrAll(Verb::kDeallocate, named.name());
        planning_.depends_on_text = true;
        if (!statement_.all) statement_.name_range = LastToken(planning_, range_);
        return true;
      case NodeKind::kListen:
        statement_.pin = PinReason::kListen;
        PlanOnDefaultShard(Verb::kListen, named.name(), "LISTEN");
        return true;
      case NodeKind::kUnlisten:
        PlanOnDefaultShard(Verb::kUnlisten, named.name(), "UNLISTEN");
        statement_.all = named.name().empty();
        return true;
      case NodeKind::kNotify:
        PlanOnDefaultShard(Verb::kNotify, named.name(), "NOTIFY");
        statement_.writes = true;
        return true;
      case NodeKind::kFetch:
        SetNameOrAll(Verb::kFetch, named.name());
        statement_.returns_rows = true;
        program_.kind = Kind::kAnywhere;
        return true;
      case NodeKind::kCloseCursor:
        SetNameOrAll(Verb::kCloseCursor, named.name());
        program_.kind = Kind::kAnywhere;
        return true;
      case NodeKind::kDeclareCursor:
        PlanCursor(named);
        return true;
      case NodeKind::kExplain:
        PlanExplain(named);
        return true;
      case NodeKind::kLoad:
        statement_.verb = Verb::kOther;
        statement_.pin = PinReason::kOpaqueSetting;
        program_.kind = Kind::kAnywhere;
        return true;
      default:
        planning_.depends_on_literals = false;
        return false;
    }
  }

 private:
  void SetNameOrAll(Verb verb, std::string_view name) {
    statement_.verb = verb;
    statement_.name = name;
    statement_.all = name.empty();
  }

  // Listeners and notifiers must meet, so both are on the default shard.
  void PlanOnDefaultShard(Verb verb, std::string_view name, std::string_view what) {
    statement_.verb = verb;
    statement_.name = name;
    program_.kind = Kind::kQuery;
    program_.needs_default_shard = true;
    program_.default_shard_object = program_.default_shard_only = what;
  }

  // --- SET ---

  void PlanSet(const SetView& set) {
    statement_.verb = Verb::kSet;
    statement_.name = Lower(set.name());
    statement_.local = set.local();
    const std::string_view kind = set.kind();
    if (kind == "VAR_RESET_ALL") {
      statement_.verb = Verb::kReset;
      statement_.all = true;
    } else if (kind == "VAR_RESET" || kind == "VAR_SET_DEFAULT") {
      statement_.verb = Verb::kReset;
      if (IsTransactionSetting(statement_.name)) {
        program_.kind = Kind::kAnywhere;
        program_.refusal = Refused("RESET of \"" + statement_.name + "\" is not supported",
                                   "SET TRANSACTION gives its characteristics anew.");
      }
    } else if (kind == "VAR_SET_MULTI" && set.name() == "SESSION CHARACTERISTICS") {
      AddCharacteristics(set.arguments(), "default_");
    } else if (kind == "VAR_SET_MULTI") {
      statement_.verb = Verb::kSetTransaction;
      if (set.name() == "TRANSACTION") AddCharacteristics(set.arguments(), "");
    } else if (kind != "VAR_SET_VALUE") {
      PlanOpaqueSetting();
    } else {
      for (const Node argument : set.arguments()) {
        if (!AddArgument(argument)) return PlanOpaqueSetting();
      }
      // Whether LOCAL or not, it is of the transaction.
      if (!IsTransactionSetting(statement_.name)) return;
      statement_.verb = Verb::kSetTransaction;
      for (std::string& argument : statement_.arguments) argument = Lower(argument);
      statement_.arguments.insert(statement_.arguments.begin(), statement_.name);
    }
  }

  // transaction_isolation 'repeatable read' -> default_transaction_isolation, repeatable read.
  void AddCharacteristics(const NodeList& options, std::string_view prefix) {
    for (const Node node : options) {
      const OptionView option(node);
      statement_.arguments.push_back(fmt::format("{}{}", prefix, option.name()));
      statement_.arguments.push_back(option.name() == "transaction_isolation" ? option.text()
                                     : option.boolean(true)                   ? "on"
                                                                              : "off");
    }
  }

  // A setting that cannot be given again as a name and values stays with its server connection.
  void PlanOpaqueSetting() {
    statement_.pin = PinReason::kOpaqueSetting;
    statement_.arguments.clear();
    program_.kind = Kind::kAnywhere;
  }

  bool AddArgument(const Node& argument) {
    if (!argument.Is(NodeKind::kConst)) return false;
    const ConstView constant(argument);
    if (constant.is_string()) {
      statement_.arguments.emplace_back(constant.text());
      return true;
    }
    const auto operand = MakeOperand(argument, planning_);
    if (!operand.has_value() || operand->source != Operand::Source::kLiteral) return false;
    const TextRange number = planning_.literals[operand->index].range;
    statement_.arguments.push_back(fmt::format("{}{}", operand->negative ? "-" : "",
                                               planning_.text.substr(number.begin, number.size())));
    return true;
  }

  // --- Statements inside statements ---

  // Plans the statement at `body`, with literals counted from its start.
  void PlanBody(const Node& body, TextRange body_range) {
    statement_.body_range = body_range;
    Planning inner = planning_;
    const auto first = std::partition_point(
        planning_.literals.begin(), planning_.literals.end(),
        [&](const Literal& literal) { return literal.range.begin < body_range.begin; });
    inner.literals = planning_.literals.subspan(first - planning_.literals.begin());
    inner.depends_on_literals = inner.depends_on_text = false;
    statement_.body = PlanStatement(body, body_range, &inner);
  }

  void PlanPrepare(const NamedView& prepare) {
    statement_.verb = Verb::kPrepare;
    statement_.name = prepare.name();
    statement_.name_range = TokenAt(planning_, range_, 1);
    for (const Node type : prepare.argument_types()) {
      statement_.prepare_types.push_back(OidOfTypeName(type, planning_));
    }
    planning_.depends_on_text = true;
    PlanBody(prepare.query(), BodyOfPrepare(planning_, range_));
  }

  void PlanExecute(const NamedView& execute) {
    statement_.verb = Verb::kExecute;
    planning_.depends_on_text = true;
    statement_.name = execute.name();
    statement_.name_range = TokenAt(planning_, range_, 1);
    statement_.returns_rows = true;
    statement_.writes = true;
    CountParameters(execute.node, &planning_.parameter_uses);
    for (const Node argument : execute.arguments()) {
      ExecuteArgument& value = statement_.execute_arguments.emplace_back();
      const auto operand = MakeOperand(argument, planning_);
      if (!operand.has_value() || operand->cast.has_value()) continue;
      if (operand->source == Operand::Source::kNull) value.kind = ExecuteArgument::Kind::kNull;
      if (operand->source != Operand::Source::kLiteral) continue;
      value.kind = ExecuteArgument::Kind::kLiteral;
      value.literal = planning_.literals[operand->index];
      value.negative = operand->negative;
    }
  }

  void PlanCursor(const NamedView& cursor) {
    Statement& statement = statement_;
    PlanInside(cursor.query());
    statement.verb = Verb::kDeclareCursor;
    statement.name = cursor.name();
    statement.returns_rows = false;
    if (cursor.holds()) statement.pin = PinReason::kHoldCursor;
    if (program_.several != RouteProgram::Several::kRefuse) {
      program_.several = RouteProgram::Several::kRefuse;
      program_.several_refusal = RefuseSeveralShards("a cursor reads from one", nullptr);
    }
  }

  void PlanExplain(const NamedView& explain) {
    bool analyze = false;
    for (const Node option : explain.options()) {
      if (OptionView(option).name() == "analyze") analyze = OptionView(option).boolean(true);
    }
    PlanInside(explain.query());
    planning_.depends_on_text = true;
    statement_.body_range = BodyOfExplain(planning_, range_, !explain.options().empty());
    statement_.verb = Verb::kExplain;
    statement_.returns_rows = true;
    statement_.changes_schema = statement_.changes_schema && analyze;
    statement_.writes = statement_.writes && analyze;
    if (!analyze) statement_.pin = PinReason::kNone;
    if (explain.query().Is(NodeKind::kExecute)) {
      program_.kind = Kind::kAnywhere;
      program_.refusal = Refused("EXPLAIN EXECUTE is not supported",
                                 "EXPLAIN the prepared statement itself, with its values.");
    }
    // Any one shard's plan of a statement that goes to several would mislead.
    if (program_.several != RouteProgram::Several::kRefuse || program_.insert.has_value() ||
        program_.move.has_value()) {
      program_.move.reset();
      program_.several = RouteProgram::Several::kRefuse;
      program_.several_refusal = Refused(
          "EXPLAIN of a statement that goes to several shards is not supported",
          "EXPLAIN ROUTE in the admin database shows the shards; SET meridian.shard chooses one.");
      if (program_.insert.has_value()) program_.insert->split_refusal = program_.several_refusal;
    }
  }

  // The route of the inner statement is that of the whole.
  void PlanInside(const Node& query) {
    planning_.depends_on_literals = false;
    const Ref<const Statement> inner = PlanStatement(query, range_, &planning_);
    statement_.writes = inner->writes;
    statement_.pin = inner->pin;
    statement_.reads_sequence_state = inner->reads_sequence_state;
    statement_.changes_schema = inner->changes_schema;
    statement_.differs_on_replica = inner->differs_on_replica;
    program_ = *inner->route;
  }

  const TextRange range_;
  Planning& planning_;
  Statement& statement_;
  RouteProgram& program_;
};

}  // namespace

bool PlanSessionCommand(const Node& node, TextRange range, Planning* planning, Statement* statement,
                        RouteProgram* program) {
  if (SessionPlanner(range, planning, statement, program).Plan(node)) return true;
  program->kind = Kind::kAnywhere;
  statement->writes = true;
  return false;
}

}  // namespace meridian
