// Statements that concern the session itself: which it runs on its own, and what the others leave
// with it.

#include "proxy/session/causality_token.h"
#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/message_writer.h"

namespace meridian {

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

Session::Progress Session::RunLocal(const Statement& statement, std::string_view text,
                                    absl::StatusOr<std::string>* tag) {
  switch (statement.verb) {
    case Verb::kBegin:
      *tag = BeginTransaction(statement, text);
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
      if (statement.name == kCausalityToken) return ShowCausalityToken(tag);
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
    participant->has_unknown_setting |= statement.sets_unknown;
    if (pin_ == PinReason::kNone) SetPin(statement.pin);
  }
  switch (statement.verb) {
    case Verb::kBegin:
      if (!transaction_.open()) {
        OpenTransaction(effect.text, false, ModesOf(statement));
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
        transaction_.AddSetTransaction(effect.text, ModesOf(statement));
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

}  // namespace meridian
