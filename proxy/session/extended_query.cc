// The extended query protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync.
//
// Each handler takes one message; batch.cc finds it a server. Statements that are the session's own
// business (BEGIN, SET meridian.shard) are answered in their place without one.

#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/message_writer.h"
#include "sharding/quote.h"

namespace meridian {
namespace {

std::string NoParameters() {
  std::string bytes;
  wire::MessageBuilder(bytes, wire::kParameterDescription).U16(0);
  return bytes;
}

std::string Complete(std::string_view tag) {
  std::string bytes;
  wire::AppendCommandComplete(bytes, tag);
  return bytes;
}

// What a server that joins the transaction later is told instead.
std::string SetConfigSql(const Statement& statement) {
  const std::string value =
      statement.verb == Verb::kReset ? "NULL" : QuoteLiteral(statement.arguments[0]);
  return "SELECT pg_catalog.set_config(" + QuoteLiteral(statement.name) + ", " + value +
         (statement.local ? ", true)" : ", false)");
}

}  // namespace

// As PostgreSQL's plan cache does it, a statement is analyzed anew where search_path is another one
// than when it was prepared: so it becomes another statement on the servers, too.
const Ref<const PreparedText>* Session::FindPrepared(std::string_view name) {
  Ref<const PreparedText>* found = nullptr;
  if (name.empty()) {
    if (unnamed_) found = &unnamed_;
  } else if (const auto named = prepared_.find(name); named != prepared_.end()) {
    found = &named->second;
  }
  if (found == nullptr || &(*found)->context == &Context()) return found;
  const PreparedText& old = **found;
  if (!CheckEncoding(old.text, old.context.encoding).ok()) return found;  // not of use as it is
  if (old.context.standard_conforming_strings != Context().standard_conforming_strings &&
      old.text.find('\\') != std::string::npos) {
    return nullptr;  // a server that does not have it yet would read its strings in another way
  }
  *found = old.interned()
               ? host_.prepared_texts().Intern(old.kind, old.text, old.parameter_types, Context(),
                                               host_.router().schema().version())
               : host_.prepared_texts().MakeUnnamed(old.text, old.parameter_types, Context());
  return found;
}

absl::Status Session::NoSuchStatement(std::string_view name) {
  return SqlStatus(sqlstate::kInvalidStatementName,
                   name.empty()
                       ? std::string("unnamed prepared statement does not exist")
                       : "prepared statement \"" + std::string(name) + "\" does not exist");
}

const Statement* Session::StatementOf(const PreparedText& prepared) {
  const Analysis& analysis = prepared.Current(host_.router());
  if (analysis.parts.size() != 1) return nullptr;
  const Statement* const statement = analysis.parts[0].statement.get();
  return prepared.kind == PreparedText::Kind::kSql ? statement->body.get() : statement;
}

Session::Progress Session::HandleParse(std::string_view body) {
  const auto view = wire::ParseParse(body);
  if (!pending_.empty() && batch_server_ == nullptr) return Progress::kBlocked;
  if (!view.ok()) {
    FailBatch(view.status());
    return Progress::kDone;
  }
  StartClock();
  if (const absl::Status status = CheckBatchEncoding(view->text); !status.ok()) {
    FailBatch(status);
    return Progress::kDone;
  }
  if (!view->name.empty() && prepared_.contains(view->name)) {
    FailBatch(SqlStatus(sqlstate::kDuplicatePreparedStatement,
                        "prepared statement \"" + std::string(view->name) + "\" already exists"));
    return Progress::kDone;
  }
  Ref<const PreparedText> prepared;
  if (!view->name.empty()) {
    prepared = host_.prepared_texts().Intern(PreparedText::Kind::kProtocol, view->text,
                                             view->parameter_types, Context(),
                                             host_.router().schema().version());
    prepared_[std::string(view->name)] = prepared;
    unconfirmed_.emplace_back(view->name);
  } else if (unnamed_ && unnamed_->text == view->text && &unnamed_->context == &Context() &&
             unnamed_->parameter_types == view->parameter_types) {
    prepared = unnamed_;  // the same again: its analysis is still good
  } else {
    prepared = unnamed_ =
        host_.prepared_texts().MakeUnnamed(view->text, view->parameter_types, Context());
  }
  Unplaced unplaced{
      .request = wire::kParse, .prepared = prepared, .name = std::string(view->name), .bytes = {}};
  const Statement* statement = StatementOf(*prepared);
  if (transaction_.failed() && (statement == nullptr || !LeavesFailedTransaction(*statement))) {
    FailBatch(SqlStatus(
        sqlstate::kInFailedTransaction,
        "current transaction is aborted, commands ignored until end of transaction block"));
    return Progress::kDone;
  }
  if ((statement != nullptr && IsSessionVerb(*statement)) || prepared->known_good()) {
    // It is accepted; a server gets it only if one must execute it.
    unplaced.local = true;
    unplaced.bytes = wire::EmptyMessage(wire::kParseComplete);
  }
  unplaced_.push_back(std::move(unplaced));
  return Progress::kDone;
}

absl::StatusOr<Decision> Session::DecidePrepared(const PreparedText& prepared,
                                                 const Statement& statement,
                                                 absl::Span<const Parameter> parameters) {
  const Analysis& analysis = prepared.Current(host_.router());
  auto hints = Hints();
  if (!hints.ok()) return hints.status();
  absl::Span<const Literal> literals = analysis.LiteralsOf(analysis.parts[0]);
  if (prepared.kind == PreparedText::Kind::kSql) {
    // The body's literals are those that stand in it, the last ones.
    const uint32_t begin = analysis.parts[0].statement->body_range.begin;
    while (!literals.empty() && literals.front().range.begin < begin) literals.remove_prefix(1);
  }
  const Values values{prepared.text, literals, parameters, Context().encoding};
  SampleKey(statement, values);
  return host_.router().Decide(statement, values, *hints);
}

absl::StatusOr<Decision> Session::DecideBind(const PreparedText& prepared,
                                             const Statement& statement,
                                             const wire::BindView& bind) {
  const std::vector<Oid>& types = TypesOf(prepared);
  absl::InlinedVector<Parameter, 8> parameters;
  parameters.reserve(bind.values.size());
  for (size_t i = 0; i < bind.values.size(); ++i) {
    parameters.push_back({.type = i < types.size() ? types[i] : 0,
                          .binary = bind.IsBinary(i),
                          .value = bind.values[i]});
  }
  return DecidePrepared(prepared, statement, parameters);
}

Session::Progress Session::HandleBind(std::string_view message) {
  wire::BindView& bind = host_.scratch_bind();
  if (!pending_.empty() && batch_server_ == nullptr) return Progress::kBlocked;
  StartClock();
  if (const absl::Status status = wire::ParseBind(message.substr(wire::kHeaderBytes), &bind);
      !status.ok()) {
    FailBatch(status);
    return Progress::kDone;
  }
  const Ref<const PreparedText>* found = FindPrepared(bind.statement);
  if (found == nullptr) {
    FailBatch(NoSuchStatement(bind.statement));
    return Progress::kDone;
  }
  const Ref<const PreparedText> prepared = *found;
  absl::Status encoding = CheckBatchEncoding(bind.after_names);
  encoding.Update(CheckEncoding(prepared->text, prepared->context.encoding));
  if (!encoding.ok()) {
    FailBatch(encoding);
    return Progress::kDone;
  }
  const Statement* statement = StatementOf(*prepared);
  if (transaction_.failed() && (statement == nullptr || !LeavesFailedTransaction(*statement))) {
    FailBatch(SqlStatus(
        sqlstate::kInFailedTransaction,
        "current transaction is aborted, commands ignored until end of transaction block"));
    return Progress::kDone;
  }
  if (statement != nullptr) {
    if (const absl::Status status = CheckSetting(*statement); !status.ok()) {
      FailBatch(status);
      return Progress::kDone;
    }
  }
  if (statement != nullptr && IsLocal(*statement)) {
    Portal& portal = portals_[std::string(bind.portal)];
    portal = {.kind = Portal::Kind::kLocal, .prepared = prepared, .bind_rest = {}};
    unplaced_.push_back({.request = wire::kBind,
                         .prepared = {},
                         .name = {},
                         .bytes = wire::EmptyMessage(wire::kBindComplete),
                         .local = true});
    return Progress::kDone;
  }
  Ref<const Statement> setting;
  if (statement != nullptr && statement->value_parameter) {
    auto bound = BindSetting(*prepared, *statement, bind);
    if (!bound.ok()) {
      FailBatch(bound.status());
      return Progress::kDone;
    }
    setting = *std::move(bound);
  }
  ShardIndex shard = AtHand();
  Access access = Access::kPrimary;
  MovingSet written = 0;
  const size_t rest = transaction_.open() ? 0 : RestOfBatch();
  if (statement != nullptr) {
    const auto decision = DecideBind(*prepared, *statement, bind);
    if (!decision.ok()) {
      FailBatch(decision.status());
      return Progress::kDone;
    }
    if (decision->route == Route::kOne) {
      shard = decision->shards.first();
    } else if (decision->route == Route::kSession || decision->route == Route::kAny) {
      shard = PreferredShard(*statement);
    } else if (prepared->kind == PreparedText::Kind::kSql) {
      FailBatch(
          Refused("a statement that was prepared by SQL cannot be bound to run on several shards",
                  "Prepare it by the protocol (Parse)."));
      return Progress::kDone;
    } else {
      return BindFanout(prepared, bind);
    }
    absl::Status held;
    if (EnterMoving(*decision, statement->writes, &held) == Progress::kBlocked) {
      return Progress::kBlocked;
    }
    if (!held.ok()) {
      FailBatch(held);
      return Progress::kDone;
    }
    if (FailsWhole(*statement)) written = decision->shards.moving();
    host_.metrics().routes[static_cast<RouteKind>(decision->route)].Add();
    if (transaction_.open() || rest > 0) access = AccessOf(*statement);
  }
  Participant* participant = nullptr;
  absl::Status status;
  if (UseBatchServer(shard, &participant, &status, Join::kTransaction, access) ==
      Progress::kBlocked) {
    return Progress::kBlocked;
  }
  if (status.ok() && statement != nullptr) status = CheckRunnable(*statement, *participant);
  if (!status.ok()) {
    FailBatch(status);
    return Progress::kDone;
  }
  if (rest > 0) KeepStatement(*participant, written, message, behind_.substr(0, rest));
  PlaceOn(*participant);
  EnsurePrepared(*participant, *prepared);
  SendBind(*participant->server, *prepared, bind, message);
  RememberPortal(bind.portal, prepared, participant->shard);
  if (setting) {
    portals_[std::string(bind.portal)] = {.kind = Portal::Kind::kServer,
                                          .shard = participant->shard,
                                          .prepared = prepared,
                                          .bind_rest = {},
                                          .setting = std::move(setting)};
  }
  return Progress::kDone;
}

// The unnamed portal of an ordinary statement needs no memory of its own: the hot path.
void Session::RememberPortal(std::string_view name, const Ref<const PreparedText>& prepared,
                             ShardIndex shard) {
  if (name.empty()) {
    unnamed_portal_ = prepared;
    unnamed_portal_shard_ = shard;
    if (!portals_.empty()) portals_.erase(std::string_view());
    return;
  }
  portals_[std::string(name)] = {
      .kind = Portal::Kind::kServer, .shard = shard, .prepared = prepared, .bind_rest = {}};
}

const Session::Portal* Session::FindPortal(std::string_view name) const {
  if (portals_.empty()) return nullptr;  // the hot path
  const auto found = portals_.find(name);
  return found == portals_.end() ? nullptr : &found->second;
}

// Where the portal is; nullopt: there is none of this name. A cursor that DECLARE made is one, too.
std::optional<ShardIndex> Session::ShardOfPortal(std::string_view name) const {
  if (const Portal* portal = FindPortal(name)) return portal->shard;
  if (name.empty() && unnamed_portal_) return unnamed_portal_shard_;
  if (const auto cursor = cursors_.find(name); cursor != cursors_.end()) return cursor->second;
  return std::nullopt;
}

Session::Progress Session::HandleDescribe(std::string_view message) {
  const auto view = wire::ParseDescribe(message.substr(wire::kHeaderBytes));
  if (!pending_.empty() && batch_server_ == nullptr) return Progress::kBlocked;
  if (!view.ok()) {
    FailBatch(view.status());
    return Progress::kDone;
  }
  if (view->kind == 'S') {
    const Ref<const PreparedText>* prepared = FindPrepared(view->name);
    if (prepared == nullptr) {
      FailBatch(NoSuchStatement(view->name));
      return Progress::kDone;
    }
    const absl::Status encoding = CheckEncoding((*prepared)->text, (*prepared)->context.encoding);
    if (!encoding.ok()) {
      FailBatch(encoding);
      return Progress::kDone;
    }
    const Statement* statement = StatementOf(**prepared);
    Unplaced unplaced{.request = wire::kDescribe, .prepared = *prepared, .name = {}, .bytes = {}};
    if (statement != nullptr && IsSessionVerb(*statement)) {
      unplaced.local = true;
      unplaced.bytes = NoParameters() + LocalRowDescription(*statement);
    }
    unplaced_.push_back(std::move(unplaced));
    if (batch_server_ != nullptr) PlaceOn(*FindParticipant(*batch_server_));
    return Progress::kDone;
  }
  const Portal* const portal = FindPortal(view->name);
  if (portal != nullptr && portal->kind == Portal::Kind::kLocal) {
    const Statement* statement = StatementOf(*portal->prepared);
    unplaced_.push_back({.request = wire::kDescribe,
                         .prepared = {},
                         .name = {},
                         .bytes = LocalRowDescription(*statement),
                         .local = true});
    return Progress::kDone;
  }
  if (portal != nullptr && portal->kind == Portal::Kind::kFanout) {
    portals_.find(view->name)->second.describe = true;
    return Progress::kDone;
  }
  return ForwardToPortal(message, view->name);
}

std::string Session::LocalRowDescription(const Statement& statement) {
  if (statement.verb != Verb::kShow) return wire::EmptyMessage(wire::kNoData);
  std::string bytes;
  wire::AppendTextRowDescription(bytes, {statement.name});
  return bytes;
}

// A message about a portal that a server has: to that server.
Session::Progress Session::ForwardToPortal(std::string_view message, std::string_view name) {
  const auto shard = ShardOfPortal(name);
  if (!shard) {
    FailBatch(SqlStatus(sqlstate::kInvalidCursorName,
                        "portal \"" + std::string(name) + "\" does not exist"));
    return Progress::kDone;
  }
  Participant* participant = nullptr;
  absl::Status status;
  if (UseBatchServer(*shard, &participant, &status) == Progress::kBlocked) {
    return Progress::kBlocked;
  }
  if (!status.ok()) {
    FailBatch(status);
    return Progress::kDone;
  }
  PlaceOn(*participant);
  participant->server->out.Borrow(message);
  pending_.Add(message[0]);
  return Progress::kDone;
}

Session::Progress Session::HandleExecute(std::string_view message) {
  const auto view = wire::ParseExecute(message.substr(wire::kHeaderBytes));
  if (!pending_.empty() && batch_server_ == nullptr) return Progress::kBlocked;
  StartClock();
  if (!view.ok()) {
    FailBatch(view.status());
    return Progress::kDone;
  }
  const Portal* const portal = FindPortal(view->portal);
  if (portal != nullptr && portal->kind == Portal::Kind::kLocal) return ExecuteLocal(*portal);
  if (portal != nullptr && portal->kind == Portal::Kind::kFanout) {
    return ExecuteFanout(portals_.find(view->portal)->second, view->max_rows);
  }
  Ref<const PreparedText> prepared;  // none: of a cursor
  if (portal != nullptr) {
    prepared = portal->prepared;
  } else if (view->portal.empty()) {
    prepared = unnamed_portal_;
  }
  if (ForwardToPortal(message, view->portal) == Progress::kBlocked) {
    return Progress::kBlocked;
  }
  if (batch_server_ == nullptr || !prepared || skip_until_sync_) return Progress::kDone;
  Participant& participant = *FindParticipant(*batch_server_);
  ++participant.server->queries;
  batch_executed_ = true;
  const Statement* statement = StatementOf(*prepared);
  if (statement == nullptr) return Progress::kDone;
  running_ = Ref<const Statement>(statement);
  batch_wrote_ |= statement->writes;
  batch_changes_encoding_ |= MayChangeEncoding(*statement);
  NoteWrite(participant, *statement);
  schema_changed_ |= statement->changes_schema;
  expect_copy_in_ = statement->verb == Verb::kCopyIn;
  if (HasEffect(*statement)) {
    batch_changes_session_ = true;
    auto effect = std::make_unique<StatementEffect>();
    const bool bound = portal != nullptr && portal->setting;
    effect->statement = bound ? portal->setting : Ref<const Statement>(statement);
    effect->text = bound ? SetConfigSql(*portal->setting) : prepared->text;
    pending_.back().AddEffect(std::move(effect));
  }
  return Progress::kDone;
}

Session::Progress Session::ExecuteLocal(const Portal& portal) {
  const Ref<const PreparedText> prepared = portal.prepared;
  const Statement* statement = StatementOf(*prepared);
  // Answers of the batch's server come first, and it may have to take part in what follows.
  if (PlaceUnplaced() == Progress::kBlocked) return Progress::kBlocked;
  if (batch_server_ != nullptr && batch_wrote_ && !transaction_.open()) {
    // What the batch has written is to be undone should something fail before its Sync: the server
    // must not commit here.
    if (statement->verb == Verb::kDeallocate || IsMeridianSetting(*statement)) {
      if (!std::exchange(flushed_, true)) {
        wire::AppendEmptyMessage(batch_server_->out.Own(), wire::kFlush);
      }
      if (!pending_.empty()) return Progress::kBlocked;
      flushed_ = false;
    } else if (statement->verb != Verb::kCommit) {
      if (const absl::Status status = OpenImplicit(); !status.ok()) {
        FailBatch(status);
        return Progress::kDone;
      }
    }
  }
  const bool keeps_server = batch_wrote_ && statement->verb != Verb::kCommit;
  if (batch_server_ != nullptr && (!keeps_server || transaction_.open())) {
    EndServerBatch(Pending::Show::kSwallow);
  }
  if (!pending_.empty()) return Progress::kBlocked;
  running_ = Ref<const Statement>(statement);
  local_row_description_ = false;
  absl::StatusOr<std::string> tag = std::string();
  const Progress progress = RunLocal(*statement, prepared->text, &tag);
  local_row_description_ = true;
  if (progress == Progress::kBlocked) return progress;
  if (!tag.ok()) {
    FailBatch(tag.status());
  } else {
    EmitLocal(Complete(*tag));
    CountStatement(Outcome::kOk);
  }
  return Progress::kDone;
}

Session::Progress Session::HandleClose(std::string_view message) {
  const auto view = wire::ParseDescribe(message.substr(wire::kHeaderBytes));
  if (!pending_.empty() && batch_server_ == nullptr) return Progress::kBlocked;
  if (!view.ok()) {
    FailBatch(view.status());
    return Progress::kDone;
  }
  if (view->kind == 'S') {
    // It stays on the servers, for the next session that prepares the same text.
    if (view->name.empty()) {
      unnamed_ = {};
    } else {
      const auto found = prepared_.find(view->name);
      if (found != prepared_.end()) prepared_.erase(found);
    }
  } else {
    const auto portal = portals_.find(view->name);
    const bool on_server = portal != portals_.end() ? portal->second.kind == Portal::Kind::kServer
                                                    : view->name.empty() && unnamed_portal_;
    if (on_server && (batch_server_ != nullptr || transaction_.open())) {
      const Progress progress = ForwardToPortal(message, view->name);
      if (progress == Progress::kBlocked) return progress;
      if (view->name.empty()) unnamed_portal_ = {};
      if (portal != portals_.end()) portals_.erase(portal);
      return progress;
    }
    if (portal != portals_.end()) portals_.erase(portal);
  }
  unplaced_.push_back({.request = wire::kClose,
                       .prepared = {},
                       .name = {},
                       .bytes = wire::EmptyMessage(wire::kCloseComplete),
                       .local = true});
  if (batch_server_ != nullptr) PlaceOn(*FindParticipant(*batch_server_));
  return Progress::kDone;
}

Session::Progress Session::HandleFlush() {
  if (!pending_.empty() && batch_server_ == nullptr) return Progress::kBlocked;
  if (PlaceUnplaced() == Progress::kBlocked) return Progress::kBlocked;
  if (batch_server_ != nullptr) {
    wire::AppendEmptyMessage(batch_server_->out.Own(), wire::kFlush);
  }
  return Progress::kDone;
}

Session::Progress Session::HandleSync(std::string_view message) {
  if (!skip_until_sync_) {
    if (!pending_.empty() && batch_server_ == nullptr) return Progress::kBlocked;
    if (PlaceUnplaced() == Progress::kBlocked) return Progress::kBlocked;
  }
  if (batch_server_ != nullptr && transaction_.implicit()) {
    EndServerBatch(Pending::Show::kSwallow);  // the transaction of our own ends first
    return Progress::kBlocked;
  }
  if (batch_server_ != nullptr) {
    EndServerBatch(Pending::Show::kForward, Pending::Purpose::kSync, message);
    EndBatch();
    return Progress::kDone;
  }
  if (!pending_.empty()) return Progress::kBlocked;
  absl::Status ended;
  if (EndImplicit(&ended) == Progress::kBlocked) return Progress::kBlocked;
  if (!ended.ok()) wire::AppendError(out.Own(), wire::Severity::kError, ToSqlError(ended));
  settings_undo_ = {};
  EndBatch();
  FinishQuery();
  return Progress::kDone;
}

Session::Progress Session::HandleFunctionCall(std::string_view message) {
  if (EndBatchBeforeQuery() == Progress::kBlocked) return Progress::kBlocked;
  if (std::exchange(query_failed_, false)) {
    FinishQuery();
    return Progress::kDone;
  }
  StartClock();
  if (transaction_.failed()) {
    FailUnit(SqlStatus(
                 sqlstate::kInFailedTransaction,
                 "current transaction is aborted, commands ignored until end of transaction block"),
             true);
    return Progress::kDone;
  }
  auto participant = Enlist(AtHand());
  if (participant.ok() && *participant == nullptr) return Progress::kBlocked;
  if (!participant.ok()) {
    FailUnit(participant.status(), true);
    return Progress::kDone;
  }
  (*participant)->server->out.Borrow(message);
  NoteWrite(**participant, true);
  active_ = (*participant)->server;
  pending_.Add(wire::kFunctionCall);
  return Progress::kDone;
}

}  // namespace meridian
