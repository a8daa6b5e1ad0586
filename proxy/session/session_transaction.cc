// The client's transaction on the servers: how it opens, what it tells them, how it ends.

#include <algorithm>

#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/message_writer.h"
#include "sharding/ascii.h"
#include "sharding/quote.h"

namespace meridian {
namespace {

constexpr std::string_view kInvalidSavepoint = "3B001";

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

// What PostgreSQL calls it when it warns that it has no effect outside of a transaction block;
// empty: it does not warn (SET transaction_isolation, which lasts for the statement alone).
std::string_view OutsideOfTransaction(const Statement& statement) {
  if (statement.local) return "SET LOCAL";
  if (SetsConstraints(statement)) return TagOf(statement);
  return statement.verb == Verb::kSetTransaction && statement.name.starts_with("transaction_")
             ? ""
             : "SET TRANSACTION";
}

}  // namespace

// Failed by the proxy (a refused statement) while the servers' transactions are still good.
bool Session::FailedHereOnly() const {
  if (!transaction_.failed()) return false;
  return std::any_of(participants_.begin(), participants_.end(),
                     [](const Participant& participant) {
                       return participant.in_transaction &&
                              participant.server->transaction_status != wire::kFailedTransaction;
                     });
}

// What stands before it in the Query or the pipeline is a part of it.
void Session::OpenTransaction(std::string_view begin, bool implicit, TransactionModes modes) {
  transaction_.Begin(begin, std::move(modes), implicit, settings_undo_ ? settings_undo_ : settings_,
                     meridian_, host_.settings().Empty());
  transaction_.settings_changed() = static_cast<bool>(std::exchange(settings_undo_, {}));
  context_ = nullptr;
}

absl::StatusOr<std::string> Session::BeginTransaction(const Statement& statement,
                                                      std::string_view text) {
  TransactionModes modes = ModesOf(statement);
  if (transaction_.open() && !modes.empty()) {
    return Refused("BEGIN cannot set characteristics of a transaction that is open already",
                   "Use SET TRANSACTION, or send BEGIN first.");
  }
  if (transaction_.open() && !transaction_.implicit()) {
    Warn(sqlstate::kActiveTransaction, "there is already a transaction in progress");
  } else if (transaction_.open()) {
    transaction_.MakeExplicit();
  } else {
    OpenTransaction(text, false, std::move(modes));
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
    *tag = SqlStatus(sqlstate::kNoActiveTransaction,
                     what + " AND CHAIN can only be used in transaction blocks");
    return Progress::kDone;
  }
  *tag = what;
  // As in PostgreSQL, it ends the implicit transaction, too.
  if (transaction_.open() &&
      CloseTransaction(command == "COMMIT", chain, tag) == Progress::kBlocked)
    return Progress::kBlocked;
  if (!explicitly) Warn(sqlstate::kNoActiveTransaction, "there is no transaction in progress");
  return Progress::kDone;
}

// Ends the open transaction on all its servers; a failed one by ROLLBACK. Blocked until the client
// can be told `tag`, what it came to.
Session::Progress Session::CloseTransaction(bool commit, bool chain,
                                            absl::StatusOr<std::string>* tag) {
  if (gate_ != nullptr) {
    // The statement that wanted snapshots was refused meanwhile: the servers that take them are
    // part of the transaction all the same.
    absl::Status unwanted;
    if (TakeGateResult(&unwanted) == Progress::kBlocked) return Progress::kBlocked;
  }
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
// role that comes behind it prepares, once all that is left to do in the other's name is done. The
// same for SET LOCAL SESSION AUTHORIZATION, which resets the role, too.
std::string Session::SqlBeforePrepare() const {
  const Settings& local = *transaction_.local();
  const bool other_user = local.Find("session_authorization") != nullptr;
  if (!other_user && local.Find("role") == nullptr) return {};
  const auto set = [&](const std::string& name) {
    const std::string* const value = settings_->Find(name);
    return "SET LOCAL " + name + " TO " + (value == nullptr ? "DEFAULT" : QuoteLiteral(*value)) +
           ";";
  };
  return "SET CONSTRAINTS ALL IMMEDIATE;" + (other_user ? set("session_authorization") : "") +
         set("role");
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
    if (const std::string_view what = OutsideOfTransaction(statement); !what.empty()) {
      Warn(sqlstate::kNoActiveTransaction,
           std::string(what) + " can only be used in transaction blocks");
    }
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
    *tag = SqlStatus(sqlstate::kNoActiveTransaction, std::string(SavepointCommand(statement.verb)) +
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
// Isolation levels

// What the open transaction runs in, as far as the session's own words say it; in lower case.
std::string Session::IsolationLevel() const {
  std::string level;
  if (transaction_.open()) level = transaction_.Modes().isolation;
  if (!level.empty()) return level;
  const std::string* const setting = FindSetting("default_transaction_isolation");
  if (setting == nullptr) return {};
  level = *setting;
  std::transform(level.begin(), level.end(), level.begin(), AsciiLower);
  return level;
}

// Whether the transaction's level can be kept on several shards. PostgreSQL finds dangerous
// structures of serializable transactions within one server only; and snapshots belong together
// only if all were taken at once, before the first statement.
absl::Status Session::CheckIsolation() const {
  const std::string level = IsolationLevel();
  if (level == "serializable") {
    return Refused("a serializable transaction cannot use several shards",
                   "Use REPEATABLE READ, and SELECT ... FOR UPDATE for what must not change.");
  }
  if (level == "repeatable read" && meridian_.snapshot != SnapshotMode::kLocal &&
      transaction_.open() && ParticipantsInTransaction() > 0 && !transaction_.snapshots_taken()) {
    return Refused("a transaction in REPEATABLE READ that began on one shard cannot use others",
                   "Set meridian.shard for the whole of a transaction or not at all, send BEGIN "
                   "first, or SET meridian.snapshot = 'local'.");
  }
  return absl::OkStatus();
}

// Whether the next statement is the first of a transaction whose snapshots must belong together:
// then all shards join now, since later there is no way back to this moment.
bool Session::WantsSnapshots() const {
  return transaction_.open() && !transaction_.failed() && ParticipantsInTransaction() == 0 &&
         host_.router().map().shards().size() > 1 && meridian_.shard.empty() &&
         meridian_.distribution_key.empty() && meridian_.snapshot != SnapshotMode::kLocal &&
         IsolationLevel() == "repeatable read";
}

Session::Progress Session::TakeSnapshots(absl::Status* error) {
  if (gate_ == nullptr) {
    const ShardSet shards = host_.router().map().AllShards();
    for (const MovingRange& at : host_.router().map().moving()) {
      const ShardIndex owner = host_.router().map().range(at).owner;
      if (EnterSnapshot(owner, error) == Progress::kBlocked) return Progress::kBlocked;
      if (!error->ok()) return Progress::kDone;
    }
    if (EnlistAll(shards, error) == Progress::kBlocked) return Progress::kBlocked;
    if (!error->ok()) return Progress::kDone;
    gate_ = std::make_unique<SnapshotGate>(transaction_.JoinText());
    shards.ForEach([&](ShardIndex shard) { gate_->Add(*FindParticipant(shard)->server); });
    gate_->Start();
  }
  return TakeGateResult(error);
}

Session::Progress Session::TakeGateResult(absl::Status* error) {
  if (!gate_->done()) return Progress::kBlocked;
  if (gate_->error()) *error = ToStatus(*gate_->error());
  gate_.reset();
  for (Participant& participant : participants_) {
    participant.in_transaction = participant.server->transaction_status != wire::kIdle;
    transaction_.snapshots_taken() |= participant.in_transaction;
  }
  return Progress::kDone;
}

}  // namespace meridian
