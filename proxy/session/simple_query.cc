// The simple query protocol: one text, one or more statements, one ReadyForQuery.

#include <algorithm>

#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/message_writer.h"

namespace meridian {
namespace {

absl::Status InFailedTransaction() {
  return SqlStatus(
      sqlstate::kInFailedTransaction,
      "current transaction is aborted, commands ignored until end of transaction block");
}

// The ranges of the literals of one part, relative to the part.
std::vector<Literal> RelativeLiterals(const Analysis& analysis, const Analysis::Part& part) {
  const auto literals = analysis.LiteralsOf(part);
  std::vector<Literal> relative(literals.begin(), literals.end());
  for (Literal& literal : relative) {
    literal.range.begin -= part.range.begin;
    literal.range.end -= part.range.begin;
  }
  return relative;
}

}  // namespace

Session::Progress Session::HandleQuery(std::string_view message) {
  const std::string_view body = message.substr(wire::kHeaderBytes);
  const std::string_view text = body.substr(0, body.find('\0'));
  if (script_ != nullptr) return ContinueScript(text);
  if (EndBatchBeforeQuery() == Progress::kBlocked) return Progress::kBlocked;
  if (std::exchange(query_failed_, false)) {
    FinishQuery();
    return Progress::kDone;
  }
  if (body.empty() || text.size() != body.size() - 1) {
    FailUnit(SqlStatus(sqlstate::kProtocolViolation, "invalid message format"), true);
    return Progress::kDone;
  }
  unnamed_ = {};  // as PostgreSQL: every Query drops it
  Analysis& analysis = host_.scratch_analysis();
  host_.router().Analyze(text, Context(), {}, &analysis);
  StartClock();
  if (analysis.parts.empty()) {
    wire::AppendEmptyMessage(out.Own(), wire::kEmptyQueryResponse);
    FinishQuery();
    return Progress::kDone;
  }
  if (analysis.parts.size() == 1) return RunSingle(message, analysis);
  Progress progress = Progress::kDone;
  if (SendScriptWhole(message, text, analysis, &progress)) return progress;
  return StartScript(text);
}

Session::Progress Session::RunSingle(std::string_view message, const Analysis& analysis) {
  const Analysis::Part& part = analysis.parts[0];
  const std::string_view text = message.substr(wire::kHeaderBytes);
  // The literals' ranges are in the whole text, so that no copy of them is needed.
  const Unit unit{.statement = *part.statement,
                  .text = text.substr(part.range.begin, part.range.size()),
                  .values = {.text = text.substr(0, text.size() - 1),
                             .literals = analysis.LiteralsOf(part),
                             .parameters = {},
                             .encoding = Context().encoding},
                  .message = message,
                  .final = true};
  return RunUnit(unit);
}

// Several statements that all go to one shard travel as they came, so that PostgreSQL itself makes
// them one implicit transaction. False: they cannot.
bool Session::SendScriptWhole(std::string_view message, std::string_view text,
                              const Analysis& analysis, Progress* progress) {
  if (transaction_.failed() || participants_.size() > 1) return false;
  auto hints = Hints();
  if (!hints.ok()) return false;
  hints->in_transaction = true;
  std::optional<ShardIndex> shard;
  bool writes = false;
  bool draws = false;  // what it draws from sequences is read in it, or may be behind it
  bool context_changes = false;
  for (const Analysis::Part& part : analysis.parts) {
    const Statement& statement = *part.statement;
    if (context_changes) return false;  // planned for a search_path that will be another one
    context_changes = ChangesContext(statement);
    if (!CanTravelInScript(statement) || !CheckSetting(statement).ok()) return false;
    if (statement.verb == Verb::kBegin || statement.verb == Verb::kSetTransaction) {
      if (!BeginsOnOneServer(statement)) return false;
    }
    if (statement.reads_sequence_state && !writes) return false;
    draws |= statement.reads_sequence_state || statement.verb == Verb::kBegin;
    writes |= statement.writes;
    const Values values{text, analysis.LiteralsOf(part), {}, Context().encoding};
    auto decision = host_.router().Decide(statement, values, *hints);
    if (!decision.ok()) return false;
    SampleKey(statement, values);
    if (decision->route == Route::kSession || decision->route == Route::kAny) continue;
    if (decision->route != Route::kOne) return false;
    absl::Status held;
    if (EnterMoving(*decision, statement.writes, &held) == Progress::kBlocked) {
      *progress = Progress::kBlocked;
      return true;
    }
    if (!held.ok()) {
      FailUnit(held, true);
      return true;
    }
    if (shard && *shard != decision->shards.first()) return false;
    shard = decision->shards.first();
  }
  if (draws && !pending_.empty()) {
    *progress = Progress::kBlocked;
    return true;
  }
  auto participant = Enlist(shard.value_or(AtHand()));
  if (!participant.ok()) {
    FailUnit(participant.status(), true);
    return true;
  }
  if (*participant == nullptr) {
    *progress = Progress::kBlocked;
    return true;
  }
  if (OnlyParticipant() == nullptr) return false;  // a transaction that spans shards
  if (draws && !(*participant)->in_transaction &&
      !(Keeps(**participant) && (*participant)->owns_sequence_values)) {
    OwnSequenceValues(**participant);
  }
  if (draws && !(*participant)->owns_sequence_values) return false;
  Pending& pending = pending_.Add(wire::kQuery);
  for (const Analysis::Part& part : analysis.parts) {
    auto effect = std::make_unique<StatementEffect>();
    effect->statement = part.statement;
    effect->text = std::string(text.substr(part.range.begin, part.range.size()));
    schema_changed_ |= part.statement->changes_schema;
    pending.AddEffect(std::move(effect));
    if (part.statement->draws) drew_on_.Add((*participant)->shard);
  }
  running_ = analysis.parts[0].statement;
  NoteWrite(**participant, writes);
  (*participant)->server->out.Borrow(message);
  (*participant)->server->unnamed_statement = 0;
  ++(*participant)->server->queries;
  active_ = (*participant)->server;
  return true;
}

// Whether a transaction that begins so may be opened by the server itself: not one whose snapshots
// on all shards must belong together.
bool Session::BeginsOnOneServer(const Statement& begin) const {
  if (host_.router().map().shards().size() == 1) return true;
  const std::string level = ModesOf(begin).isolation;
  return (level.empty() ? IsolationLevel() : level).starts_with("read ");  // (un)committed
}

bool Session::ChangesContext(const Statement& statement) const {
  switch (statement.verb) {
    case Verb::kSet:
    case Verb::kReset:
      return statement.all || SqlContexts::DependOn(statement.name);
    case Verb::kCommit:
    case Verb::kRollback:
    case Verb::kRollbackToSavepoint:
      return transaction_.open() &&
             (transaction_.settings_changed() || !transaction_.local()->empty());
    default:
      return false;
  }
}

Session::Progress Session::StartScript(std::string_view text) {
  script_ = std::make_unique<Script>();
  host_.router().Analyze(text, Context(), {}, &script_->analysis);
  script_->generation = host_.router().generation();
  script_->context = &Context();
  script_->encoding = Context().encoding;
  for (const Analysis::Part& part : script_->analysis.parts) {
    const Verb verb = part.statement->verb;
    // Settings, too, are undone by a later error.
    script_->atomic |= part.statement->writes || verb == Verb::kSet || verb == Verb::kReset;
  }
  return ContinueScript(text);
}

// Runs the statements of a text one after the other, each where it belongs; as PostgreSQL does it,
// all that stand outside of an explicit transaction are one.
Session::Progress Session::ContinueScript(std::string_view text) {
  while (script_ != nullptr) {
    if (!pending_.empty() || fanout_ != nullptr) return Progress::kBlocked;
    if (script_->aborted || script_->next == script_->analysis.parts.size()) return EndScript();
    if (script_->atomic && !transaction_.open()) {
      OpenTransaction("BEGIN", true);
    }
    if (const absl::Status status = CheckEncoding(text, script_->encoding); !status.ok()) {
      FailUnit(status, false);
      continue;
    }
    if (script_->generation != host_.router().generation() || script_->context != &Context()) {
      // Planned under another map or schema, or another search_path.
      host_.router().Analyze(text, Context(), {}, &script_->analysis);
      script_->generation = host_.router().generation();
      script_->context = &Context();
    }
    const Analysis::Part& part = script_->analysis.parts[script_->next];
    const std::vector<Literal> literals = RelativeLiterals(script_->analysis, part);
    const std::string_view part_text = text.substr(part.range.begin, part.range.size());
    const Unit unit{.statement = *part.statement,
                    .text = part_text,
                    .values = {part_text, literals, {}, script_->encoding},
                    .message = {},
                    .final = false};
    if (RunUnit(unit) == Progress::kBlocked) return Progress::kBlocked;
    if (script_ != nullptr) ++script_->next;
  }
  return Progress::kDone;
}

Session::Progress Session::EndScript() {
  // The transaction of our own around the statements ends with them.
  if (script_->aborted && transaction_.implicit()) transaction_.Fail();
  absl::Status ended;
  if (EndImplicit(&ended) == Progress::kBlocked) return Progress::kBlocked;
  if (!ended.ok()) wire::AppendError(out.Own(), wire::Severity::kError, ToSqlError(ended));
  script_.reset();
  FinishQuery();
  return Progress::kDone;
}

Session::Progress Session::EndImplicit(absl::Status* error) {
  if (!transaction_.open() || !transaction_.implicit()) return Progress::kDone;
  const bool failed = transaction_.failed();
  absl::StatusOr<std::string> tag = std::string();
  if (CloseTransaction(true, false, &tag) == Progress::kBlocked) return Progress::kBlocked;
  if (!failed) *error = tag.status();  // else the client knows of an error already
  return Progress::kDone;
}

Session::Progress Session::RunUnit(const Unit& unit) {
  if (fanout_result_) return TakeFanoutResult(unit.final);
  const Statement& statement = unit.statement;
  running_ = Ref<const Statement>(&statement);
  if (transaction_.failed() && !LeavesFailedTransaction(statement)) {
    FailUnit(InFailedTransaction(), unit.final);
    return Progress::kDone;
  }
  if (const absl::Status status = CheckSetting(statement); !status.ok()) {
    FailUnit(status, unit.final);
    return Progress::kDone;
  }
  if (IsLocal(statement)) {
    absl::StatusOr<std::string> tag = std::string();
    const Progress progress = RunLocal(statement, unit.text, &tag);
    if (progress == Progress::kBlocked) return progress;
    if (!tag.ok()) {
      FailUnit(tag.status(), unit.final);
    } else {
      FinishUnit(*tag, unit.final);
    }
    return Progress::kDone;
  }
  if (statement.verb == Verb::kExecute || statement.verb == Verb::kPrepare) {
    return RunSqlPrepared(unit);
  }
  auto hints = Hints();
  auto decision = hints.ok() ? host_.router().Decide(statement, unit.values, *hints)
                             : absl::StatusOr<Decision>(hints.status());
  if (!decision.ok()) return RefuseUnit(decision.status(), unit.final);
  SampleKey(statement, unit.values);
  return RunDecided(unit, *decision);
}

Session::Progress Session::RunDecided(const Unit& unit, const Decision& decision) {
  absl::Status held;
  if (EnterMoving(decision, unit.statement.writes, &held) == Progress::kBlocked) {
    return Progress::kBlocked;
  }
  if (!held.ok()) return RefuseUnit(held, unit.final);
  if (decision.route != Route::kSession && decision.route != Route::kAny &&
      decision.route != Route::kOne) {
    return StartFanout(unit, decision);
  }
  if (transaction_.implicit() && script_ == nullptr) {
    // It was to run on several shards when it began to wait for them.
    return RefuseUnit(
        SqlStatus(sqlstate::kSerializationFailure,
                  "the shard map has changed while the statement waited", "Run it again."),
        unit.final);
  }
  const ShardIndex shard =
      decision.route == Route::kOne ? decision.shards.first() : PreferredShard(unit.statement);
  auto participant = Enlist(shard, Join::kTransaction, AccessOf(unit.statement));
  if (participant.ok() && *participant == nullptr) return Progress::kBlocked;
  absl::Status status = participant.status();
  if (status.ok()) status = CheckRunnable(unit.statement, **participant);
  if (!status.ok()) {
    FailUnit(status, unit.final);
    return Progress::kDone;
  }
  host_.metrics().routes[static_cast<RouteKind>(decision.route)].Add();
  if (pending_.empty() && script_ == nullptr) {
    KeepStatement(**participant, FailsWhole(unit.statement) ? decision.shards.moving() : 0,
                  unit.message, {});
  }
  ForwardUnit(unit, **participant);
  return Progress::kDone;
}

void Session::ForwardUnit(const Unit& unit, Participant& participant) {
  Server& server = *participant.server;
  if (!unit.message.empty()) {
    server.out.Borrow(unit.message);
    server.unnamed_statement = 0;
  } else {
    server.SendQuery(unit.text);
  }
  ++server.queries;
  NoteWrite(participant, unit.statement);
  schema_changed_ |= unit.statement.changes_schema;
  expect_copy_in_ = unit.statement.verb == Verb::kCopyIn;
  active_ = &server;
  Pending& pending =
      pending_.Add(wire::kQuery, unit.final ? Pending::Show::kForward : Pending::Show::kHideReady);
  if (HasEffect(unit.statement)) {
    auto effect = std::make_unique<StatementEffect>();
    effect->statement = Ref<const Statement>(&unit.statement);
    effect->text = std::string(unit.text);
    pending.AddEffect(std::move(effect));
  }
}

// Of a statement that has not run: a transaction of our own, which waited with it for servers,
// ends.
Session::Progress Session::RefuseUnit(const absl::Status& status, bool final) {
  if (transaction_.implicit() && script_ == nullptr) {
    fanout_result_ = status;
    return TakeFanoutResult(final);
  }
  FailUnit(status, final);
  return Progress::kDone;
}

void Session::FailUnit(const absl::Status& status, bool final) {
  const SqlError error = ToSqlError(status);
  host_.metrics().errors_synthesised.Add();
  wire::AppendError(out.Own(), wire::Severity::kError, error);
  transaction_.Fail();
  CountStatement(error.sqlstate == sqlstate::kFeatureNotSupported ? Outcome::kRefused
                                                                  : Outcome::kError);
  if (final) {
    FinishQuery();
  } else if (script_ != nullptr) {
    script_->aborted = true;
  }
}

void Session::FinishUnit(std::string_view tag, bool final) {
  if (!tag.empty()) wire::AppendCommandComplete(out.Own(), tag);
  CountStatement(Outcome::kOk);
  if (final) FinishQuery();
}

void Session::FinishQuery() {
  wire::AppendReadyForQuery(out.Own(), transaction_.status());
  OnIdle();
}

}  // namespace meridian
