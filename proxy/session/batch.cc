// A batch of the extended protocol, what stands between two Syncs: which server it goes to, and
// what that must be sent besides the client's messages. Its messages go to the server of the first
// Bind that names a shard; messages before that (Parse, Describe) wait for it, at most until Flush
// or Sync.

#include <algorithm>

#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/message_writer.h"

namespace meridian {
namespace {

constexpr size_t kPreparedPerServerMax = 500;

}  // namespace

// Makes the shard's server the batch's.
Session::Progress Session::UseBatchServer(ShardIndex shard, Participant** participant,
                                          absl::Status* error, Join join, Access access) {
  if (batch_server_ != nullptr) {
    Participant* const current = FindParticipant(*batch_server_);
    const bool joined = join == Join::kNot || !transaction_.open() || current->in_transaction;
    if (current->shard == shard && joined) {
      *participant = current;
      return Progress::kDone;
    }
    *error = OpenImplicit();
    if (!error->ok()) return Progress::kDone;
    EndServerBatch(Pending::Show::kSwallow);
    return Progress::kBlocked;
  }
  auto enlisted = Enlist(shard, join, access);
  if (!enlisted.ok()) {
    *error = enlisted.status();
    return Progress::kDone;
  }
  if (*enlisted == nullptr) return Progress::kBlocked;
  *participant = *enlisted;
  batch_server_ = (*enlisted)->server;
  active_ = batch_server_;
  return Progress::kDone;
}

// Sends Sync, the client's or our own, to the batch's server; what follows may go to another.
void Session::EndServerBatch(Pending::Show show, Pending::Purpose purpose, std::string_view sync) {
  batch_server_->out.Borrow(sync);
  pending_.Add(wire::kSync, show, purpose);
  active_ = batch_server_;
  batch_server_ = nullptr;
}

// Sends what has waited for a server.
void Session::PlaceOn(Participant& participant) {
  for (Unplaced& unplaced : unplaced_) {
    if (unplaced.local) {
      EmitLocal(std::move(unplaced.bytes), std::move(unplaced.name));
      continue;
    }
    Server& server = *participant.server;
    const PreparedText& prepared = *unplaced.prepared;
    if (unplaced.request == wire::kParse) {
      if (!unplaced.name.empty() && server.prepared.Touch(prepared.id)) {
        EmitLocal(wire::EmptyMessage(wire::kParseComplete), std::move(unplaced.name));
        continue;
      }
      SendParse(participant, prepared, Pending::Show::kForward);
      if (!unplaced.name.empty()) pending_.back().MakeDetail().name = std::move(unplaced.name);
    } else {
      EnsurePrepared(participant, prepared);
      wire::MessageBuilder(server.out.Own(), wire::kDescribe).U8('S').String(prepared.ServerName());
      pending_.Add(wire::kDescribe);
    }
  }
  unplaced_.clear();
}

// Where a statement is parsed or described that nobody has bound yet: best where it will run. That
// is not known; so in a transaction a shard that has not joined does not join for this alone, which
// would bind a server connection until COMMIT that may never be needed.
Session::Join Session::ChooseForParse(const PreparedText& prepared, ShardIndex* shard) {
  *shard = AtHand();
  if (batch_server_ != nullptr) return Join::kNot;
  const Statement* statement = StatementOf(prepared);
  const auto hints = Hints();
  const ShardSet candidates = statement != nullptr && hints.ok()
                                  ? host_.router().Candidates(*statement, *hints)
                                  : ShardSet();
  for (const Participant& participant : participants_) {
    if (participant.in_transaction &&
        (candidates.empty() || candidates.Contains(participant.shard))) {
      *shard = participant.shard;
      return Join::kTransaction;
    }
  }
  if (!candidates.empty() && !candidates.Contains(*shard)) *shard = candidates.first();
  // What SET LOCAL has set may change what the statement means.
  return transaction_.open() && transaction_.replays() ? Join::kTransaction : Join::kNot;
}

// At Flush or Sync: what still waits goes to the server at hand; nothing to do where there is
// nothing for a server.
Session::Progress Session::PlaceUnplaced() {
  const auto needs_server = std::find_if(unplaced_.begin(), unplaced_.end(),
                                         [](const Unplaced& unplaced) { return !unplaced.local; });
  if (needs_server == unplaced_.end()) {
    for (Unplaced& unplaced : unplaced_) {
      EmitLocal(std::move(unplaced.bytes), std::move(unplaced.name));
    }
    unplaced_.clear();
    return Progress::kDone;
  }
  ShardIndex shard;
  const Join join = ChooseForParse(*needs_server->prepared, &shard);
  Participant* participant = nullptr;
  absl::Status status;
  if (UseBatchServer(shard, &participant, &status, join) == Progress::kBlocked) {
    return Progress::kBlocked;
  }
  if (!status.ok()) {
    unplaced_.clear();
    FailBatch(status);
    return Progress::kDone;
  }
  PlaceOn(*participant);
  return Progress::kDone;
}

void Session::SendParse(Participant& participant, const PreparedText& prepared,
                        Pending::Show show) {
  Server& server = *participant.server;
  if (!prepared.interned()) {
    wire::AppendParse(server.out.Own(), {}, prepared.text, prepared.parameter_types);
    server.unnamed_statement = prepared.id;
  } else {
    if (server.prepared.size() >= kPreparedPerServerMax) EvictPrepared(server);
    wire::AppendParse(server.out.Own(), prepared.ServerName(), prepared.text,
                      prepared.parameter_types);
    server.prepared.Add(prepared.id);
  }
  pending_.Add(wire::kParse, show).prepared_id = prepared.id;
}

void Session::EvictPrepared(Server& server) {
  const uint64_t victim = server.prepared.LeastRecent();
  server.prepared.Remove(victim);
  wire::AppendClose(server.out.Own(), 'S', PreparedText::ServerNameOf(victim));
  pending_.Add(wire::kClose, Pending::Show::kSwallow);
  host_.metrics().prepared_evicted.Add();
}

void Session::EnsurePrepared(Participant& participant, const PreparedText& prepared) {
  Server& server = *participant.server;
  const bool there = prepared.interned() ? server.prepared.Touch(prepared.id)
                                         : server.unnamed_statement == prepared.id;
  if (there) return;
  host_.metrics().prepared_injected.Add();
  if (prepared.kind == PreparedText::Kind::kProtocol) {
    SendParse(participant, prepared, Pending::Show::kSwallow);
    return;
  }
  // PREPARE by the extended protocol, so that it stays within the batch.
  std::string& own = server.out.Own();
  wire::AppendParse(own, {}, ServerPrepareSql(prepared), {});
  wire::MessageBuilder(own, wire::kBind).U8(0).U8(0).U16(0).U16(0).U16(0);
  wire::MessageBuilder(own, wire::kExecute).U8(0).U32(0);
  for (const char request : {wire::kParse, wire::kBind, wire::kExecute}) {
    pending_.Add(request, Pending::Show::kSwallow);
  }
  server.unnamed_statement = 0;
  server.prepared.Add(prepared.id);
}

// The client's Bind, with the name that the statement has on the server.
void Session::SendBind(Server& server, const PreparedText& prepared, const wire::BindView& bind,
                       std::string_view message) {
  const std::string& name = prepared.ServerName();
  pending_.Add(wire::kBind);
  if (name == bind.statement) {  // unnamed
    server.out.Borrow(message);
    return;
  }
  std::string& own = server.out.Own();
  // The checked length limit leaves room for the longer name: a message that would pass it was
  // refused by Process.
  const size_t length = 4 + bind.portal.size() + 1 + name.size() + 1 + bind.after_names.size();
  own.push_back(wire::kBind);
  wire::AppendU32(own, static_cast<uint32_t>(length));
  wire::AppendString(own, bind.portal);
  wire::AppendString(own, name);
  server.out.Borrow(bind.after_names);
}

// PostgreSQL commits at Sync what a batch has written. Where a batch that has written must go on
// elsewhere, its server is told to stay in the transaction: a BEGIN behind other statements of a
// pipeline makes them a part of it (xact.c, BeginTransactionBlock from TBLOCK_STARTED).
absl::Status Session::OpenImplicit() {
  if (!batch_wrote_ || transaction_.open()) return absl::OkStatus();
  if (batch_changes_session_) {
    return Refused("a pipeline that changes settings cannot go on on another shard",
                   "Send Sync after each statement, or use BEGIN.");
  }
  std::string& own = batch_server_->out.Own();
  wire::AppendParse(own, {}, "BEGIN", {});
  wire::MessageBuilder(own, wire::kBind).U8(0).U8(0).U16(0).U16(0).U16(0);
  wire::MessageBuilder(own, wire::kExecute).U8(0).U32(0);
  for (const char request : {wire::kParse, wire::kBind, wire::kExecute}) {
    pending_.Add(request, Pending::Show::kSwallow);
  }
  batch_server_->unnamed_statement = 0;
  OpenTransaction("BEGIN", true);
  Participant& participant = *FindParticipant(*batch_server_);
  participant.in_transaction = participant.wrote = true;
  return absl::OkStatus();
}

void Session::EndBatch() {
  unplaced_.clear();
  unconfirmed_.clear();
  batch_open_ = batch_executed_ = batch_wrote_ = flushed_ = skip_until_sync_ = false;
  batch_changes_encoding_ = batch_changes_session_ = false;
}

// Before a Query or a FunctionCall: a batch that is open ends as by Sync, but its ReadyForQuery is
// not shown. If it cannot be committed, query_failed_: what has come is not run.
Session::Progress Session::EndBatchBeforeQuery() {
  if (batch_open_) {
    if (PlaceUnplaced() == Progress::kBlocked) return Progress::kBlocked;
    if (batch_server_ != nullptr) {
      EndServerBatch(Pending::Show::kSwallow, Pending::Purpose::kSyncOfQuery);
    }
    absl::Status ended;
    if (EndImplicit(&ended) == Progress::kBlocked) return Progress::kBlocked;
    if (!ended.ok()) {
      wire::AppendError(out.Own(), wire::Severity::kError, ToSqlError(ended));
      query_failed_ = true;
    }
    EndBatch();
  }
  return pending_.empty() ? Progress::kDone : Progress::kBlocked;
}

// An error of our own. Where the batch has a server, the server must fail too, so that what it has
// executed in this batch is undone: it is sent something that fails, and the client sees our error
// in place of that.
void Session::FailBatch(const absl::Status& status) {
  const SqlError error = ToSqlError(status);
  host_.metrics().errors_synthesised.Add();
  std::string bytes;
  wire::AppendError(bytes, wire::Severity::kError, error);
  CountStatement(error.sqlstate == sqlstate::kFeatureNotSupported ? Outcome::kRefused
                                                                  : Outcome::kError);
  if (batch_server_ != nullptr) {
    Participant& participant = *FindParticipant(*batch_server_);
    PlaceOn(participant);
    wire::AppendParse(participant.server->out.Own(), {}, "refused by Meridian", {});
    participant.server->unnamed_statement = 0;
    pending_.Add(wire::kParse, Pending::Show::kReplaceError).MakeDetail().bytes = std::move(bytes);
    wire::AppendEmptyMessage(participant.server->out.Own(), wire::kFlush);
  } else {
    // What was asked before and has an answer without a server is answered; the rest is skipped.
    for (Unplaced& unplaced : unplaced_) {
      if (unplaced.local) EmitLocal(std::move(unplaced.bytes), std::move(unplaced.name));
    }
    unplaced_.clear();
    ForgetUnconfirmed();
    EmitLocal(std::move(bytes));
    UndoSettings(nullptr);
    transaction_.Fail();
  }
  skip_until_sync_ = true;
}

// A Parse that failed, or was skipped because of an error before it, leaves no name behind.
void Session::ForgetUnconfirmed() {
  for (const std::string& name : unconfirmed_) {
    const auto found = prepared_.find(name);
    if (found != prepared_.end()) prepared_.erase(found);
  }
  unconfirmed_.clear();
}

void Session::EmitLocal(std::string bytes, std::string name) {
  if (pending_.empty()) {
    Emit(bytes);
    Confirm(name);
    return;
  }
  Pending& pending = pending_.Add(name.empty() ? '\0' : wire::kParse, Pending::Show::kLocal);
  pending.MakeDetail().bytes = std::move(bytes);
  pending.detail->name = std::move(name);
}

// The client has been told that the statement is prepared: its name stays.
void Session::Confirm(const std::string& name) {
  if (!unconfirmed_.empty()) std::erase(unconfirmed_, name);
}

}  // namespace meridian
