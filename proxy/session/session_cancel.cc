// Cancel requests: for what the session runs, and for nothing before or behind it.

#include <utility>

#include "proxy/session/session.h"

namespace meridian {

bool Session::CancelRunning() {
  if (fanout_ != nullptr) {
    fanout_->Cancel();
    return true;
  }
  if (AwaitsPrelude()) return cancel_behind_prelude_ = true;
  bool running = false;
  for (const Participant& participant : participants_) {
    if (gate_ != nullptr ||
        (ending_ != nullptr && ending_->open() && ending_->Has(*participant.server)) ||
        (active_ == participant.server && !pending_.empty())) {
      host_.CancelServer(*participant.server);
      running = true;
    }
  }
  return running;
}

// Whether the server has yet to answer what was sent ahead of the statement. That is not to be
// cancelled: a statement behind a BEGIN that has failed would take effect on its own.
bool Session::AwaitsPrelude() {
  return !pending_.empty() && pending_.front().request == wire::kQuery &&
         pending_.front().show == Pending::Show::kSwallow;
}

void Session::CancelBehindPrelude() {
  if (pending_.empty() || AwaitsPrelude()) return;
  cancel_behind_prelude_ = false;
  host_.CancelServer(*active_);
}

bool Session::CancelDeadlocked(uint64_t began_us, std::string detail) {
  if (!transaction_.open() || transaction_started_us_ != began_us) return false;
  // Before the decision a COMMIT that is cancelled fails everywhere.
  if (ending_ != nullptr && !ending_->open()) return false;
  if (!CancelRunning()) return false;
  deadlock_ = std::make_unique<const Deadlock>(
      Deadlock{.statement = statements_done_,
               .error = {.sqlstate = std::string(sqlstate::kDeadlockDetected),
                         .message = "deadlock detected",
                         .detail = std::move(detail),
                         .hint = "Run the transaction again."}});
  return true;
}

bool Session::OnCancel() {
  if (settling()) return false;  // the statement is done; it only has to become durable
  bool running = CancelRunning();
  if (waiting_) {
    // Nothing was sent yet: the statement fails here.
    host_.pools().Forget(*this);
    OnServerFailed(SqlStatus(sqlstate::kQueryCanceled, "canceling statement due to user request"));
    running = true;
  }
  return running;
}

void Session::OnCancelDone(Server& server) {
  if (closing_) return;
  host_.MarkDirty(*this);
  if (fanout_ != nullptr && fanout_->Has(server)) {
    fanout_->OnCancelDone();
    if (fanout_->done()) OnFanoutDone();
  } else if (ending_ != nullptr) {
    ending_->OnCancelDone();
  } else {
    return;
  }
  GoOn();
}

}  // namespace meridian
