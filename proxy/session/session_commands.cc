// Statements that concern the session itself: transactions, settings, prepared statements by SQL.

#include <algorithm>

#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/message_writer.h"
#include "sharding/ascii.h"
#include "sharding/quote.h"

namespace meridian {
namespace {

constexpr std::string_view kNoActiveTransaction = "25P01";
constexpr std::string_view kSessionCharacteristics = "session characteristics";
constexpr std::string_view kInvalidSavepoint = "3B001";
constexpr std::string_view kUnknownValue = "\1unknown";  // of a server's setting: no client's

bool StartsWithWord(std::string_view text, std::string_view word) {
  return text.size() >= word.size() &&
         std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) {
           return a == static_cast<char>(b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b);
         });
}

std::string_view SavepointCommand(Verb verb) {
  switch (verb) {
    case Verb::kSavepoint:
      return "SAVEPOINT";
    case Verb::kReleaseSavepoint:
      return "RELEASE SAVEPOINT";
    default:
      return "ROLLBACK TO SAVEPOINT";
  }
}

bool SetsConstraints(const Statement& statement) {
  return statement.verb == Verb::kSetTransaction && statement.name == "constraints";
}

// The command tag that PostgreSQL gives.
std::string_view TagOf(const Statement& statement) {
  switch (statement.verb) {
    case Verb::kSavepoint:
      return "SAVEPOINT";
    case Verb::kReleaseSavepoint:
      return "RELEASE";
    case Verb::kRollbackToSavepoint:
      return "ROLLBACK";
    default:
      return SetsConstraints(statement) ? "SET CONSTRAINTS" : "SET";
  }
}

}  // namespace

bool Session::HasEffect(const Statement& statement) {
  if (statement.pin != PinReason::kNone) return true;
  switch (statement.verb) {
    case Verb::kBegin:
    case Verb::kCommit:
    case Verb::kRollback:
    case Verb::kSavepoint:
    case Verb::kReleaseSavepoint:
    case Verb::kRollbackToSavepoint:
    case Verb::kSetTransaction:
    case Verb::kPrepareTransaction:
    case Verb::kSet:
    case Verb::kReset:
    case Verb::kUnlisten:
    case Verb::kDeclareCursor:
      return true;
    default:
      return false;
  }
}

absl::Status Session::CheckSetting(const Statement& statement) {
  if (statement.verb != Verb::kSet || statement.name != "client_encoding" ||
      statement.arguments.empty()) {
    return absl::OkStatus();
  }
  return CheckClientEncoding(statement.arguments[0]);
}

absl::Status Session::CheckEncoding(std::string_view text, ClientEncoding encoding) {
  if (encoding == Context().encoding || IsAscii(text)) return absl::OkStatus();
  return Refused(
      "client_encoding has changed since this statement came, which has characters "
      "beyond ASCII",
      "Send or prepare the statement again, in a message behind the change.");
}

absl::Status Session::CheckBatchEncoding(std::string_view bytes) const {
  if (!batch_changes_encoding_ || IsAscii(bytes)) return absl::OkStatus();
  return Refused("a pipeline changes client_encoding before characters beyond ASCII",
                 "Send Sync behind the change.");
}

bool Session::MayChangeEncoding(const Statement& statement) const {
  const bool sets_one =
      !statement.all && (statement.verb == Verb::kSet || statement.verb == Verb::kReset);
  return ChangesContext(statement) && (!sets_one || statement.name == "client_encoding");
}

bool Session::IsLocal(const Statement& statement) const {
  const size_t joined = ParticipantsInTransaction();
  switch (statement.verb) {
    case Verb::kBegin:
      // In a pipeline that has executed something, the server makes that a part of the transaction.
      return batch_server_ == nullptr || !batch_executed_ || transaction_.open();
    case Verb::kDeallocate:
      return true;
    case Verb::kCommit:
    case Verb::kRollback:
      // One server that agrees about the transaction's state ends it by itself.
      return joined != 1 || FailedHereOnly() || ending_ != nullptr;
    case Verb::kSavepoint:
    case Verb::kReleaseSavepoint:
    case Verb::kRollbackToSavepoint:
    case Verb::kSetTransaction:
      return joined != 1;
    case Verb::kPrepareTransaction:
      return joined > 1 || meridian_.shard.empty();
    case Verb::kDiscard:
      return statement.all;
    case Verb::kSet:
      if (IsMeridianSetting(statement)) return true;
      return statement.local && !statement.returns_rows && joined != 1;
    case Verb::kReset:
      return statement.all || IsMeridianSetting(statement) ||
             startup_->Find(statement.name) != nullptr;
    case Verb::kShow:
      return IsMeridianSetting(statement);
    default:
      return false;
  }
}

// Failed by the proxy (a refused statement) while the servers' transactions are still good.
bool Session::FailedHereOnly() const {
  if (!transaction_.failed()) return false;
  return std::any_of(participants_.begin(), participants_.end(),
                     [](const Participant& participant) {
                       return participant.in_transaction &&
                              participant.server->transaction_status != wire::kFailedTransaction;
                     });
}

Session::Progress Session::RunLocal(const Statement& statement, std::string_view text,
                                    absl::StatusOr<std::string>* tag) {
  switch (statement.verb) {
    case Verb::kBegin:
      *tag = BeginTransaction(text);
      return Progress::kDone;
    case Verb::kCommit:
      return EndTransaction("COMMIT", statement.chain, tag);
    case Verb::kRollback:
      return EndTransaction("ROLLBACK", statement.chain, tag);
    case Verb::kSavepoint:
    case Verb::kReleaseSavepoint:
    case Verb::kRollbackToSavepoint:
    case Verb::kSetTransaction:
    case Verb::kPrepareTransaction:
      return RunInTransaction(statement, text, tag);
    case Verb::kDeallocate:
      *tag = Deallocate(statement);
      return Progress::kDone;
    case Verb::kDiscard:
      return DiscardAll(tag);
    case Verb::kReset:
      return ResetSettings(statement, tag);
    case Verb::kShow:
      *tag = ShowMeridian(statement);
      return Progress::kDone;
    default:
      break;
  }
  if (IsMeridianSetting(statement)) {
    *tag = SetMeridian(statement);
    return Progress::kDone;
  }
  return RunInTransaction(statement, text, tag);  // SET LOCAL
}

void Session::Warn(std::string_view sqlstate, std::string message) {
  wire::AppendError(
      out.Own(), wire::Severity::kWarning,
      {.sqlstate = std::string(sqlstate), .message = std::move(message), .detail = {}, .hint = {}});
}

// ---------------------------------------------------------------------------------------------
// Transactions

// What stands before it in the Query or the pipeline is a part of it.
void Session::OpenTransaction(std::string_view begin, bool implicit) {
  transaction_.Begin(begin, implicit, settings_undo_ ? settings_undo_ : settings_, meridian_,
                     host_.settings().Empty());
  transaction_.settings_changed() = static_cast<bool>(std::exchange(settings_undo_, {}));
  context_ = nullptr;
}

absl::StatusOr<std::string> Session::BeginTransaction(std::string_view text) {
  if (transaction_.open() && !transaction_.implicit()) {
    Warn(sqlstate::kActiveTransaction, "there is already a transaction in progress");
  } else if (transaction_.open()) {
    transaction_.MakeExplicit();
  } else {
    OpenTransaction(text, false);
  }
  return StartsWithWord(text, "start") ? "START TRANSACTION" : "BEGIN";
}

// Sends `sql` to all servers in the transaction; the handler comes here again when all have
// answered.
Session::Progress Session::BroadcastInTransaction(std::string_view sql,
                                                  absl::StatusOr<std::string>* tag) {
  if (broadcast_ == nullptr) {
    if (!pending_.empty()) return Progress::kBlocked;
    broadcast_ = std::make_unique<Broadcast>();
    for (const Participant& participant : participants_) {
      if (participant.in_transaction) broadcast_->Send(*participant.server, sql);
    }
  }
  if (!broadcast_->done()) return Progress::kBlocked;
  if (broadcast_->error()) {
    *tag = ToStatus(*broadcast_->error());
  } else {
    *tag = broadcast_->tag();
  }
  broadcast_.reset();
  return Progress::kDone;
}

Session::Progress Session::EndTransaction(std::string_view command, bool chain,
                                          absl::StatusOr<std::string>* tag) {
  const std::string what(command);
  const bool explicitly = transaction_.open() && !transaction_.implicit();
  if (!explicitly && chain) {
    *tag =
        SqlStatus(kNoActiveTransaction, what + " AND CHAIN can only be used in transaction blocks");
    return Progress::kDone;
  }
  *tag = what;
  // As in PostgreSQL, it ends the implicit transaction, too.
  if (transaction_.open() &&
      CloseTransaction(command == "COMMIT", chain, tag) == Progress::kBlocked)
    return Progress::kBlocked;
  if (!explicitly) Warn(kNoActiveTransaction, "there is no transaction in progress");
  return Progress::kDone;
}

// Ends the open transaction on all its servers; a failed one by ROLLBACK. Blocked until the client
// can be told `tag`, what it came to.
Session::Progress Session::CloseTransaction(bool commit, bool chain,
                                            absl::StatusOr<std::string>* tag) {
  if (ending_ == nullptr) {
    if (!pending_.empty()) return Progress::kBlocked;
    ending_ =
        std::make_unique<TransactionEnd>(host_, meridian_.best_effort_commit, SqlBeforePrepare());
    const auto& shards = host_.router().map().shards();
    for (const Participant& participant : participants_) {
      if (!participant.in_transaction) continue;
      const size_t index = participant.shard.value;
      ending_->Add(
          *participant.server, index < shards.size() ? shards[index].name : std::string_view(),
          {.wrote = participant.wrote, .locked = participant.locked, .pinned = participant.pinned});
    }
    if (commit && !transaction_.failed()) {
      ending_->Commit();
    } else {
      ending_->Rollback();
    }
  }
  const bool known = meridian_.commit_returns_decided ? ending_->decided() : ending_->done();
  if (!known) return Progress::kBlocked;
  if (lost_pin_ != nullptr) {
    Fatal(EndOfLostSession());
    return Progress::kBlocked;
  }
  *tag = TakeEnd(chain);
  return Progress::kDone;
}

// COMMIT PREPARED is for the role that has prepared, and SET LOCAL ROLE is over by then: so the
// role that comes behind it prepares, once all that is left to do in the other's name is done.
std::string Session::SqlBeforePrepare() const {
  if (transaction_.local()->Find("role") == nullptr) return {};
  const std::string* const role = settings_->Find("role");
  return "SET CONSTRAINTS ALL IMMEDIATE;SET LOCAL role TO " +
         (role == nullptr ? "DEFAULT" : QuoteLiteral(*role)) + ";";
}

// Its last word must not be taken for a rollback where there was none.
SqlError Session::EndOfLostSession() const {
  if (ending_->error()) return *ending_->error();
  if (ending_->outcome() != TransactionEnd::Outcome::kCommitted) return *lost_pin_;
  return {.sqlstate = std::string(sqlstate::kTransactionResolutionUnknown),
          .message = "the transaction is committed, but the session is lost: " + lost_pin_->message,
          .detail = {},
          .hint = {}};
}

absl::StatusOr<std::string> Session::TakeEnd(bool chain) {
  for (const SqlError& warning : ending_->warnings()) {
    wire::AppendError(out.Own(), wire::Severity::kWarning, warning);
  }
  const std::optional<SqlError> error = ending_->error();
  const bool committed = ending_->outcome() == TransactionEnd::Outcome::kCommitted;
  end_told_ = !ending_->done();
  if (!end_told_) ending_.reset();
  FinishTransaction(committed, chain && !error);  // an error leaves no transaction to go on with
  if (error) return ToStatus(*error);
  return committed ? "COMMIT" : "ROLLBACK";
}

// The client's transaction is over: what it set is kept or forgotten.
void Session::FinishTransaction(bool committed, bool chain) {
  if (!transaction_.open()) return;
  deadlock_.reset();
  if (!committed) {
    settings_ = transaction_.settings_before();
    meridian_ = transaction_.meridian_before();
    if (transaction_.settings_changed()) {
      for (Participant& participant : participants_) DistrustSettings(*participant.server);
    }
  } else if (transaction_.local_meridian()) {
    meridian_ = *transaction_.local_meridian();
  }
  context_ = nullptr;
  // Others end with a statement behind which there is none.
  if (transaction_.implicit() || chain) CountTransaction(host_.NowUs());
  if (chain) {
    transaction_.Chain(settings_, meridian_, host_.settings().Empty());
  } else {
    transaction_.End();
  }
  cursors_.clear();
  for (Participant& participant : participants_) {
    participant.in_transaction = participant.wrote = participant.locked = false;
  }
}

// An error on one server ends the transaction on all: PostgreSQL, too, lets go of all locks then,
// though the client has yet to say ROLLBACK. Not where it may go back to a savepoint.
void Session::AbortOthers() {
  if (!transaction_.failed() || transaction_.has_savepoints()) return;
  for (const Participant& participant : participants_) {
    if (participant.server->transaction_status != wire::kInTransaction) continue;
    if (aborts_ == nullptr) aborts_ = std::make_unique<Broadcast>();
    aborts_->Send(*participant.server, "ROLLBACK");
  }
}

void Session::OnOthersAborted() {
  aborts_.reset();
  for (Participant& participant : participants_) {
    if (participant.server->transaction_status != wire::kIdle) continue;
    if (transaction_.settings_changed()) DistrustSettings(*participant.server);
    participant.in_transaction = participant.wrote = participant.locked = false;
  }
}

// Savepoints, SET TRANSACTION and SET LOCAL in a transaction that no server, or more than one, has
// joined.
Session::Progress Session::RunInTransaction(const Statement& statement, std::string_view text,
                                            absl::StatusOr<std::string>* tag) {
  const bool open = transaction_.open() && !transaction_.implicit();
  if (!open && (statement.verb == Verb::kSet || statement.verb == Verb::kSetTransaction)) {
    const std::string_view what = statement.verb == Verb::kSet ? "SET LOCAL"
                                  : SetsConstraints(statement) ? TagOf(statement)
                                                               : "SET TRANSACTION";
    Warn(kNoActiveTransaction, std::string(what) + " can only be used in transaction blocks");
    *tag = std::string(TagOf(statement));
    return Progress::kDone;
  }
  if (statement.verb == Verb::kPrepareTransaction) {
    // Nobody could tell later which shard COMMIT PREPARED is for.
    *tag = Refused("PREPARE TRANSACTION is supported on one named shard only",
                   "SET meridian.shard before the transaction, and before COMMIT PREPARED.");
    return Progress::kDone;
  }
  if (!open) {
    *tag = SqlStatus(kNoActiveTransaction, std::string(SavepointCommand(statement.verb)) +
                                               " can only be used in transaction blocks");
    return Progress::kDone;
  }
  const bool needs_savepoint =
      statement.verb == Verb::kReleaseSavepoint || statement.verb == Verb::kRollbackToSavepoint;
  if (needs_savepoint && !transaction_.HasSavepoint(statement.name)) {
    *tag = SqlStatus(kInvalidSavepoint, "savepoint \"" + statement.name + "\" does not exist");
    return Progress::kDone;
  }
  *tag = std::string(TagOf(statement));
  if (ParticipantsInTransaction() > 0) {
    if (BroadcastInTransaction(text, tag) == Progress::kBlocked) {
      return Progress::kBlocked;
    }
    if (!tag->ok()) return Progress::kDone;
  }
  ApplyEffect({Ref<const Statement>(&statement), std::string(text), {}}, **tag, nullptr);
  return Progress::kDone;
}

// ---------------------------------------------------------------------------------------------
// Settings

absl::StatusOr<std::string> Session::SetMeridian(const Statement& statement) {
  const MeridianSetting* const setting = FindMeridianSetting(statement.name);
  if (setting == nullptr) return UnknownMeridianSetting(statement.name);
  MeridianSettings changed = meridian_;
  const absl::Status set = setting->set(
      changed, statement.arguments.empty() ? "" : statement.arguments[0], host_.router());
  if (!set.ok()) return set;
  if (statement.local && !transaction_.open()) {
    Warn(kNoActiveTransaction, "SET LOCAL can only be used in transaction blocks");
    return "SET";
  }
  // What to go back to when the transaction commits.
  if (statement.local && !transaction_.local_meridian()) transaction_.local_meridian() = meridian_;
  meridian_ = std::move(changed);
  if (!statement.local) KeepBeyondTransaction(*setting, meridian_);
  return "SET";
}

// SET LOCAL of any of them has noted what the transaction's COMMIT goes back to.
void Session::KeepBeyondTransaction(const MeridianSetting& setting, const MeridianSettings& from) {
  if (!transaction_.open() || !transaction_.local_meridian()) return;
  setting.copy(*transaction_.local_meridian(), from);
}

absl::StatusOr<std::string> Session::ShowMeridian(const Statement& statement) {
  const MeridianSetting* const setting = FindMeridianSetting(statement.name);
  if (setting == nullptr) return UnknownMeridianSetting(statement.name);
  if (local_row_description_) wire::AppendTextRowDescription(out.Own(), {statement.name});
  wire::AppendTextDataRow(out.Own(), {setting->show(meridian_)});
  return "SHOW";
}

// RESET goes back to what the client asked for at its start, not to the server's default.
Session::Progress Session::ResetSettings(const Statement& statement,
                                         absl::StatusOr<std::string>* tag) {
  *tag = "RESET";
  if (IsMeridianSetting(statement) && !statement.all) {
    const MeridianSetting* const setting = FindMeridianSetting(statement.name);
    if (setting == nullptr) {
      *tag = UnknownMeridianSetting(statement.name);
    } else {
      setting->copy(meridian_, startup_meridian_);
      KeepBeyondTransaction(*setting, startup_meridian_);
    }
    return Progress::kDone;
  }
  Ref<const Settings> target = startup_;
  if (!statement.all) {
    target = host_.settings().With(*settings_, statement.name, *startup_->Find(statement.name));
  } else {
    meridian_ = startup_meridian_;
    if (transaction_.open()) transaction_.local_meridian().reset();
  }
  if (!pending_.empty()) return Progress::kBlocked;
  if (settings_.get() == target.get()) return Progress::kDone;
  // The client is told of the parameters that change, so a server must say what they are now.
  auto participant = Enlist(AtHand());
  if (!participant.ok()) {
    *tag = participant.status();
    return Progress::kDone;
  }
  if (*participant == nullptr) return Progress::kBlocked;
  settings_ = target;
  context_ = nullptr;
  if (transaction_.open()) transaction_.settings_changed() = true;
  const size_t sent = pending_.size();
  SendPrelude(**participant);
  if (pending_.size() > sent) pending_.back().show = Pending::Show::kStatusOnly;
  return pending_.empty() ? Progress::kDone : Progress::kBlocked;
}

Session::Progress Session::DiscardAll(absl::StatusOr<std::string>* tag) {
  if (transaction_.open()) {
    *tag = SqlStatus(sqlstate::kActiveTransaction,
                     "DISCARD ALL cannot run inside a transaction block");
    return Progress::kDone;
  }
  Statement reset;
  reset.verb = Verb::kReset;
  reset.all = true;
  if (ResetSettings(reset, tag) == Progress::kBlocked) return Progress::kBlocked;
  if (!tag->ok()) return Progress::kDone;
  prepared_.clear();
  unnamed_ = {};
  portals_.clear();
  cursors_.clear();
  SetPin(PinReason::kNone);
  for (Participant& participant : participants_) {
    // In session mode the server stays, so it must forget the session's state here and now.
    participant.unclean |= participant.pinned || identity_.pool_mode == PoolMode::kSession;
    participant.pinned = false;
  }
  ReleaseParticipants(true);
  *tag = "DISCARD ALL";
  return Progress::kDone;
}

absl::StatusOr<std::string> Session::Deallocate(const Statement& statement) {
  if (statement.all) {
    prepared_.clear();
    return "DEALLOCATE ALL";
  }
  const auto found = prepared_.find(statement.name);
  if (found == prepared_.end()) {
    return SqlStatus(sqlstate::kInvalidStatementName,
                     "prepared statement \"" + statement.name + "\" does not exist");
  }
  prepared_.erase(found);
  return "DEALLOCATE";
}

// ---------------------------------------------------------------------------------------------
// Effects of statements that a server has executed

void Session::SetPin(PinReason reason) {
  if (reason == pin_) return;
  auto& gauges = host_.metrics().pinned_sessions;
  if (pin_ != PinReason::kNone) gauges[static_cast<PinKind>(pin_)].Add(-1);
  if (reason != PinReason::kNone) {
    gauges[static_cast<PinKind>(reason)].Add(1);
    host_.metrics().pins[static_cast<PinKind>(reason)].Add();
  }
  pin_ = reason;
}

void Session::ApplyEffect(const StatementEffect& effect, std::string_view tag,
                          Participant* participant) {
  const Statement& statement = *effect.statement;
  if (statement.pin != PinReason::kNone && participant != nullptr) {
    participant->pinned = true;
    if (pin_ == PinReason::kNone) SetPin(statement.pin);
  }
  switch (statement.verb) {
    case Verb::kBegin:
      if (!transaction_.open()) {
        OpenTransaction(effect.text, false);
      } else {
        transaction_.MakeExplicit();
      }
      break;
    case Verb::kCommit:
    case Verb::kRollback:
    case Verb::kPrepareTransaction:
      if (tag == "ROLLBACK" && participant != nullptr) UndoSettings(participant->server);
      settings_undo_ = {};
      FinishTransaction(tag != "ROLLBACK", statement.chain);
      if (statement.chain && participant != nullptr) participant->in_transaction = true;
      break;
    case Verb::kSavepoint:
      if (!transaction_.open()) break;
      transaction_.AddSavepoint(effect.text, statement.name, settings_, meridian_);
      break;
    case Verb::kReleaseSavepoint:
      if (transaction_.open()) transaction_.ReleaseSavepoint(statement.name);
      break;
    case Verb::kRollbackToSavepoint:
      if (!transaction_.open()) break;
      if (auto restored = transaction_.RollbackToSavepoint(statement.name)) {
        if (transaction_.settings_changed()) {
          for (Participant& other : participants_) DistrustSettings(*other.server);
        }
        settings_ = restored->settings;
        meridian_ = restored->meridian;
        context_ = nullptr;
      }
      break;
    case Verb::kSetTransaction:
      if (!transaction_.open()) break;
      if (SetsConstraints(statement)) {
        transaction_.AddSetLocal(effect.text);  // no characteristic: it ends with the transaction
      } else {
        transaction_.AddSetTransaction(effect.text);
      }
      break;
    case Verb::kSet:
    case Verb::kReset:
      ApplySet(statement, effect.text, participant);
      break;
    case Verb::kDeclareCursor:
      if (participant != nullptr) cursors_[statement.name] = participant->shard;
      break;
    case Verb::kPrepare:
      if (effect.prepared) {
        prepared_[statement.name] = effect.prepared;
        if (participant != nullptr) participant->server->prepared.Add(effect.prepared->id);
      }
      break;
    default:
      break;
  }
}

void Session::UndoSettings(Server* server) {
  if (!settings_undo_) return;
  settings_ = std::exchange(settings_undo_, {});
  context_ = nullptr;
  if (server != nullptr) DistrustSettings(*server);
}

void Session::DistrustSettings(Server& server) {
  std::vector<Settings::Entry> entries;
  for (const auto& [name, value] : server.settings->entries()) {
    entries.emplace_back(name, std::string(kUnknownValue));
  }
  server.settings = host_.settings().Intern(std::move(entries));
}

void Session::ApplySet(const Statement& statement, std::string_view text,
                       Participant* participant) {
  context_ = nullptr;
  if (statement.pin == PinReason::kOpaqueSetting) return;  // it stays on its server
  if (!transaction_.open() && !settings_undo_) settings_undo_ = settings_;
  if (statement.name == kSessionCharacteristics) {
    for (size_t i = 0; i + 1 < statement.arguments.size(); i += 2) {
      settings_ =
          host_.settings().With(*settings_, statement.arguments[i], statement.arguments[i + 1]);
    }
    if (transaction_.open()) transaction_.settings_changed() = true;
    if (participant != nullptr) participant->server->settings = settings_;
    return;
  }
  const bool reset = statement.verb == Verb::kReset;
  const std::optional<std::string> value =
      reset ? std::nullopt : std::optional(FlattenSetting(statement.name, statement.arguments));
  if (statement.local) {
    if (!transaction_.open()) return;
    transaction_.local() = host_.settings().With(*transaction_.local(), statement.name, value);
    transaction_.AddSetLocal(text);
    return;
  }
  OverrideLocal(statement.name, text, participant);
  settings_ = host_.settings().With(*settings_, statement.name, value);
  if (transaction_.open()) transaction_.settings_changed() = true;
  if (participant != nullptr) participant->server->settings = settings_;
}

void Session::OverrideLocal(const std::string& name, std::string_view text,
                            const Participant* where) {
  if (!transaction_.open() || transaction_.local()->Find(name) == nullptr) return;
  transaction_.local() = host_.settings().With(*transaction_.local(), name, std::nullopt);
  transaction_.AddSetLocal(text);  // who joins later is told both, in this order
  for (Participant& participant : participants_) {
    if (&participant == where) continue;
    Server& server = *participant.server;
    server.settings = host_.settings().With(*server.settings, name, std::string(kUnknownValue));
  }
}

}  // namespace meridian
