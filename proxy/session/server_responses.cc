// What servers answer: matched with what was asked, shown to the client or not, and remembered.

#include "metrics/range_use.h"
#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/error_response.h"
#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"

namespace meridian {

using wire::MessageStream;

void Session::OnServerBytes(Server& server, std::string_view bytes) {
  host_.MarkDirty(*this);
  while (!bytes.empty() && server.owner == this) {
    MessageStream::Event event = server.stream.Next(bytes);
    if (event.kind == MessageStream::Kind::kNone) break;
    std::string instead;
    if (event.kind == MessageStream::Kind::kMessage && event.type == wire::kErrorResponse &&
        ReplaceError(event, &instead)) {
      event.bytes = instead;
      event.kept = true;
    }
    if (event.kind == MessageStream::Kind::kBroken) {
      Fatal({.sqlstate = std::string(sqlstate::kProtocolViolation),
             .message = "the server sent a message that is not of the protocol",
             .detail = {},
             .hint = {}});
      return;
    }
    if (event.type == wire::kErrorResponse && wire::ParseErrorFields(event.body()).IsFatal()) {
      // Its last words: the client learns of them, once, when the connection closes.
      dying_words_ =
          std::make_unique<const SqlError>(wire::ToSqlError(wire::ParseErrorFields(event.body())));
    } else if (fanout_ != nullptr && fanout_->Has(server)) {
      fanout_->OnEvent(server, event);
      if (fanout_->done()) OnFanoutDone();
    } else if (broadcast_ != nullptr && broadcast_->Has(server)) {
      broadcast_->OnEvent(server, event);
    } else if (ending_ != nullptr && ending_->Has(server)) {
      ending_->OnEvent(server, event);
    } else if (aborts_ != nullptr && aborts_->Has(server)) {
      aborts_->OnEvent(server, event);
    } else if (gate_ != nullptr && gate_->Has(server)) {
      gate_->OnEvent(server, event);
    } else if (active_ == &server && !pending_.empty()) {
      OnPendingEvent(server, event);
    } else {
      OnUnexpectedEvent(event);
    }
    if (after_row_ != nullptr && !WithinRow()) out.Append(*std::exchange(after_row_, nullptr));
  }
  if (closing_) return;
  GoOn();
}

// What the client gets for a server's error, where that is of no use to it: of the statement that
// was cancelled because of a deadlock, and of a range that has moved since the statement was
// routed.
bool Session::ReplaceError(const MessageStream::Event& event, std::string* instead) {
  const wire::ErrorFields error = wire::ParseErrorFields(event.body());
  if (deadlock_ != nullptr && deadlock_->statement == statements_done_ &&
      error.sqlstate == sqlstate::kQueryCanceled) {
    wire::AppendError(*instead, wire::Severity::kError, std::exchange(deadlock_, nullptr)->error);
    return true;
  }
  if (error.sqlstate != sqlstate::kRangeHasMoved || RunsElsewhere(error.sqlstate)) return false;
  SqlError moved = wire::ToSqlError(error);
  moved.sqlstate = sqlstate::kSerializationFailure;
  moved.message = "could not serialize access: " + moved.message;
  moved.hint = "Run the transaction again.";
  wire::AppendError(*instead, wire::Severity::kError, moved);
  return true;
}

// Something may have ended that the next message waits for.
void Session::GoOn() {
  if (end_told_ && ending_->done()) {
    ending_.reset();
    end_told_ = false;
    if (lost_pin_ != nullptr) return Fatal(*lost_pin_);
  }
  if (retry_ != nullptr && retry_->failed && pending_.empty()) RunElsewhere();
  if (aborts_ != nullptr && aborts_->done()) OnOthersAborted();
  if (copy_fanout_ != CopyFanout::kNone) FinishCopyFanout();
  if (pending_.empty()) OnIdle();
  if (stalled_) ProcessInbox();
}

// Asynchronous messages: they may come at any time.
void Session::OnUnexpectedEvent(const MessageStream::Event& event) {
  switch (event.type) {
    case wire::kNoticeResponse:
    case wire::kParameterStatus:
    case wire::kNotification:
      PassAsynchronous(event);
      break;
    default:
      break;
  }
}

void Session::OnPendingEvent(Server& server, const MessageStream::Event& event) {
  if (event.kind == MessageStream::Kind::kChunk) {
    Show(event);
    return;
  }
  switch (event.type) {
    case wire::kReadyForQuery:
      OnReady(server, event);
      return;
    case wire::kErrorResponse:
      OnError(server, event);
      return;
    case wire::kCommandComplete:
    case wire::kEmptyQueryResponse:
    case wire::kPortalSuspended:
      OnComplete(server, event);
      return;
    case wire::kParseComplete:
      OnParsed(server);
      [[fallthrough]];
    case wire::kBindComplete:
    case wire::kCloseComplete:
      Show(event);
      PopPending();
      return;
    case wire::kRowDescription:
    case wire::kNoData:
      Show(event);
      if (pending_.front().request == wire::kDescribe) PopPending();
      return;
    case wire::kCopyInResponse:
      Show(event);
      copy_in_ = &server;
      expect_copy_in_ = false;
      if (pending_.size() > 1 && pending_.back().request == wire::kSync) {
        // The statement was not known for a COPY, so the Sync behind it has been sent. A server
        // that reads COPY data ignores it, and the client sends another one behind its data.
        pending_.pop_back();
        batch_server_ = &server;
        batch_open_ = true;
      }
      if (stalled_) ProcessInbox();
      return;
    case wire::kNoticeResponse:
    case wire::kNotification:
      // Notices of injected statements are not the client's business.
      if (pending_.front().show == Pending::Show::kForward ||
          pending_.front().show == Pending::Show::kHideReady || event.type == wire::kNotification) {
        Pass(event);
      }
      return;
    case wire::kParameterStatus:
      if (pending_.front().show != Pending::Show::kSwallow) Pass(event);
      return;
    case wire::kCopyBothResponse:
      Fatal({.sqlstate = std::string(sqlstate::kFeatureNotSupported),
             .message = "streaming replication through Meridian is not supported",
             .detail = {},
             .hint = "Connect to the server itself."});
      return;
    default:
      Show(event);
      return;
  }
}

// Hands an answer on, if the client is to see it.
void Session::Show(const MessageStream::Event& event) {
  const Pending::Show show = pending_.front().show;
  if (show == Pending::Show::kForward || show == Pending::Show::kHideReady) Pass(event);
}

void Session::Pass(const MessageStream::Event& event) {
  if (retry_ != nullptr && HoldAnswer(event)) return;
  within_row_ = event.kind == MessageStream::Kind::kChunk && !event.ends;
  // A message that a read has cut lies in the stream's own buffer until the next event only.
  if (event.kept) {
    out.Append(event.bytes);
  } else {
    out.Borrow(event.bytes);
  }
}

// Of a server that does not work for the session just now, while another one may be in the middle
// of a row.
void Session::PassAsynchronous(const MessageStream::Event& event) {
  if (!WithinRow()) return Pass(event);
  if (after_row_ == nullptr) after_row_ = std::make_unique<std::string>();
  after_row_->append(event.bytes);
}

bool Session::WithinRow() const {
  return within_row_ || (fanout_ != nullptr && fanout_->within_row());
}

void Session::OnComplete(Server& server, const MessageStream::Event& event) {
  Show(event);
  Pending& pending = pending_.front();
  copy_in_ = nullptr;
  if (Pending::Detail* const detail = pending.detail.get();
      detail != nullptr && detail->next_effect < detail->effects.size()) {
    const auto& effect = detail->effects[detail->next_effect++];
    if (effect != nullptr) {
      const std::string tag(ByteReader(event.body()).String());
      ApplyEffect(*effect, tag, FindParticipant(server));
    }
  }
  if (pending.request == wire::kExecute) {
    if (retry_ == nullptr) {
      CountStatement(Outcome::kOk);
      server.pool.metrics().statements[Outcome::kOk].Add();
    }
    PopPending();
  }
}

void Session::OnError(Server& server, const MessageStream::Event& event) {
  expect_copy_in_ = false;
  copy_in_ = nullptr;
  schema_changed_ = false;
  Pending& pending = pending_.front();
  pending.failed = true;
  if (RunsElsewhere(wire::ParseErrorFields(event.body()).sqlstate)) return OnFailedAttempt(server);
  UndoSettings(&server);
  // What was injected into a batch of the extended protocol takes the rest of it along, so its
  // error is the client's; so is that of a Sync, which commits.
  const bool in_batch =
      pending.show == Pending::Show::kSwallow &&
      (pending.purpose == Pending::Purpose::kClient || pending.purpose == Pending::Purpose::kSync ||
       pending.purpose == Pending::Purpose::kSyncOfQuery);
  if (pending.show == Pending::Show::kReplaceError) {
    out.Append(pending.detail->bytes);
  } else if (pending.show == Pending::Show::kForward || pending.show == Pending::Show::kHideReady ||
             in_batch) {
    if (prelude_error_ != nullptr) {
      // The transaction could not be opened here as the client wants it: that is the error.
      wire::AppendError(out.Own(), wire::Severity::kError, *std::exchange(prelude_error_, nullptr));
    } else {
      Pass(event);
    }
    CountStatement(Outcome::kError);
    server.pool.metrics().statements[Outcome::kError].Add();
    if (script_ != nullptr) script_->aborted = true;
  } else {
    OnInjectedError(wire::ToSqlError(wire::ParseErrorFields(event.body())));
    if (closing_) return;
  }
  if (pending_.front().request == wire::kQuery || pending_.front().request == wire::kFunctionCall)
    return;
  if (pending_.front().purpose == Pending::Purpose::kSyncOfQuery) {
    // What was executed before the Query could not be committed with it.
    query_failed_ = true;
    return;
  }
  // PostgreSQL skips everything up to Sync, and so do the answers. Where the Sync was not sent yet,
  // the client's messages up to it are skipped here too.
  ForgetFailedParse();
  bool synced = false;
  while (!pending_.empty()) {
    if (pending_.front().request == wire::kSync) {
      synced = pending_.front().show == Pending::Show::kForward ||
               (pending_.front().purpose != Pending::Purpose::kSync &&
                pending_.front().purpose != Pending::Purpose::kSyncOfQuery);
      break;
    }
    pending_.pop_front();
    ForgetFailedParse();
  }
  if (!synced) {
    ForgetUnconfirmed();
    skip_until_sync_ = true;
  }
  if (transaction_.implicit()) transaction_.Fail();
}

void Session::OnParsed(const Server& server) {
  const Pending& pending = pending_.front();
  if (pending.detail == nullptr) return;
  const std::string& name = pending.detail->name;
  Confirm(name);
  // Not if it may use what others do not see: temporary tables, or what this transaction has made.
  const auto found = prepared_.find(name);
  if (found != prepared_.end() && pin_ == PinReason::kNone && !FindParticipant(server)->wrote) {
    found->second->SetKnownGood();
  }
}

// The server does not have the statement of a Parse that failed or was skipped.
void Session::ForgetFailedParse() {
  if (pending_.empty()) return;
  const Pending& pending = pending_.front();
  if (pending.request != wire::kParse) return;
  if (pending.prepared_id != 0 && active_ != nullptr) {
    active_->prepared.Remove(pending.prepared_id);
    if (active_->unnamed_statement == pending.prepared_id) active_->unnamed_statement = 0;
  }
  if (pending.detail == nullptr) return;
  const auto found = prepared_.find(pending.detail->name);
  if (found != prepared_.end()) prepared_.erase(found);
}

// Something that the proxy sent ahead of the client's statement failed.
void Session::OnInjectedError(SqlError error) {
  switch (pending_.front().purpose) {
    case Pending::Purpose::kBegin:
    case Pending::Purpose::kPrepare:
      // The statement behind it fails too; its error is replaced by this one.
      prelude_error_ = std::make_unique<const SqlError>(std::move(error));
      break;
    case Pending::Purpose::kSettings:
      // The statement behind it runs with other settings than the client believes: nothing it says
      // can be trusted.
      error.message = "could not restore the session's settings on a server: " + error.message;
      Fatal(error);
      break;
    default:
      if (prelude_error_ == nullptr) {
        prelude_error_ = std::make_unique<const SqlError>(std::move(error));
      }
      break;
  }
}

void Session::OnReady(Server& server, const MessageStream::Event& event) {
  const char status = event.body().empty() ? wire::kIdle : event.body()[0];
  Pending& pending = pending_.front();
  if (pending.failed && pending.purpose == Pending::Purpose::kBegin && status == wire::kIdle) {
    // What was sent behind it runs outside of the transaction that the client believes in.
    SqlError error = *std::exchange(prelude_error_, nullptr);
    if (running_ && running_->writes) {
      error.sqlstate = sqlstate::kTransactionResolutionUnknown;
      error.message = "could not open the transaction on a server: " + error.message;
      error.detail = "The statement behind BEGIN may have taken effect on its own.";
    }
    Fatal(error);
    return;
  }
  const bool visible = pending.show == Pending::Show::kForward;
  const bool statement =
      (pending.request == wire::kQuery || pending.request == wire::kFunctionCall) &&
      (visible || pending.show == Pending::Show::kHideReady);
  if (statement && !pending.failed && !(retry_ != nullptr && retry_->failed)) {
    CountStatement(Outcome::kOk);
    server.pool.metrics().statements[Outcome::kOk].Add();
  }
  copy_in_ = nullptr;
  expect_copy_in_ = false;
  server.transaction_status = status;
  if (statement || visible || pending.purpose == Pending::Purpose::kSyncOfQuery) {
    settings_undo_ = {};  // it is committed
  }
  if (pending.purpose == Pending::Purpose::kClient || status != wire::kIdle) {
    NoteTransactionStatus(*FindParticipant(server), status);
  }
  if (visible && !(retry_ != nullptr && retry_->failed)) {
    if (transaction_.status() == status && !event.kept) {
      out.Borrow(event.bytes);
    } else {
      wire::AppendReadyForQuery(out.Own(), transaction_.status());
    }
  }
  PopPending();
}

void Session::NoteTransactionStatus(Participant& participant, char status) {
  switch (status) {
    case wire::kIdle:
      participant.in_transaction = false;
      // Only the server that holds the whole transaction can have ended it.
      if (transaction_.open() && ParticipantsInTransaction() == 0) FinishTransaction(false, false);
      break;
    case wire::kFailedTransaction:
      participant.in_transaction = true;
      transaction_.Fail();
      break;
    default:
      participant.in_transaction = true;
      break;
  }
}

void Session::PopPending() {
  pending_.pop_front();
  while (!pending_.empty() && pending_.front().show == Pending::Show::kLocal) {
    Emit(pending_.front().detail->bytes);
    Confirm(pending_.front().detail->name);
    pending_.pop_front();
  }
  if (cancel_behind_prelude_) CancelBehindPrelude();
}

// When a statement's first message comes. Those of a pipeline that come meanwhile have come with
// it.
void Session::StartClock() {
  if (std::exchange(clock_runs_, true)) return;
  cancel_behind_prelude_ = false;
  used_key_.reset();  // of a statement that was bound and never run
  statement_started_us_ = host_.NowUs();
  NoteMap();
  if (!transaction_.open()) transaction_started_us_ = statement_started_us_;
}

void Session::SampleKey(const Statement& statement, const Values& values) {
  if (absl::HashOf(statement_started_us_, statements_done_) % RangeUse::kSampled != 0) return;
  used_key_ = host_.router().FindUsedKey(statement, values);
}

void Session::CountStatement(Outcome outcome) {
  ++statements_done_;
  clock_runs_ = avoid_replicas_ = read_counted_ = false;
  fenced_at_ = {};
  replica_missing_since_us_ = held_since_us_ = 0;
  const uint64_t now = host_.NowUs();
  const uint64_t took = now - statement_started_us_;
  const QueryKind kind = running_ ? KindOf(*running_) : QueryKind::kOther;
  host_.metrics().CountQuery(kind, outcome, took);
  const std::optional<UsedKey> key = std::exchange(used_key_, std::nullopt);
  const bool same_map = key && key->epoch == host_.router().map().epoch();
  host_.Report(*this, {.statement = running_.get(),
                       .kind = kind,
                       .outcome = outcome,
                       .microseconds = took,
                       .key = same_map ? &*key : nullptr});
  if (!transaction_.open()) CountTransaction(now);
}

void Session::CountTransaction(uint64_t now_us) {
  const uint64_t took = now_us - std::exchange(transaction_started_us_, now_us);
  host_.metrics().transactions.Add();
  host_.metrics().transaction_time_us.Add(took);
  host_.ReportTransaction(*this, took);
}

void Session::OnServerClosed(Server& server, const SqlError& reason) {
  host_.MarkDirty(*this);
  Participant* participant = FindParticipant(server);
  if (participant == nullptr) return;
  const bool owed = (active_ == &server && !pending_.empty()) || batch_server_ == &server;
  const bool matters = owed || participant->in_transaction || participant->pinned ||
                       (fanout_ != nullptr && fanout_->Has(server)) ||
                       (broadcast_ != nullptr && broadcast_->Has(server)) || ending_ != nullptr;
  const bool in_fanout = fanout_ != nullptr && fanout_->Has(server);
  const bool pinned = participant->pinned;
  // Behind half a row there is no place for an error: the session ends.
  const bool on_its_own = (!transaction_.open() || transaction_.implicit()) &&
                          !participant->pinned && !(in_fanout && fanout_->owes_row(server));
  NoteSeen(*participant);
  const std::shared_ptr<const NodeSamples> replica = participant->replica;
  participants_.erase(participants_.begin() + (participant - participants_.data()));
  if (retry_ != nullptr && replica != nullptr && owed) {
    dying_words_ = nullptr;
    OnReplicaClosed(*replica);
    GoOn();
    return;
  }
  const std::unique_ptr<const SqlError> last_words = std::move(dying_words_);
  const SqlError& error = last_words != nullptr ? *last_words : reason;
  if (in_fanout) {
    fanout_->OnClosed(server, error);
    if (on_its_own) {
      // The other shards come to an end of the statement: its error is all that the client sees.
      if (fanout_->done()) OnFanoutDone();
      GoOn();
      return;
    }
  }
  if (aborts_ != nullptr && aborts_->Has(server) && !pinned) {
    aborts_->OnClosed(server, error);  // it has rolled back, too
    GoOn();
    return;
  }
  if (ending_ != nullptr) {
    // It comes to an end on the others; then the session does, where it has lost what was its own.
    if (pinned) lost_pin_ = std::make_unique<const SqlError>(error);
    ending_->OnClosed(server, error);
    GoOn();
    return;
  }
  if (gate_ != nullptr && !pinned) {
    gate_->OnClosed(server, error);  // nothing was done yet
    GoOn();
    return;
  }
  if (!matters) return;
  // As PostgreSQL itself: a session whose server process is gone is gone. The client sees what the
  // server said last.
  if (active_ == &server) pending_.clear();
  if (batch_server_ == &server) batch_server_ = nullptr;
  if (copy_in_ == &server) copy_in_ = nullptr;
  if (copy_to_ == &server) copy_to_ = nullptr;
  Fatal(error);
}

}  // namespace meridian
