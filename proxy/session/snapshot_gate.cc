#include "proxy/session/snapshot_gate.h"

#include <algorithm>

#include "proxy/wire/error_response.h"
#include "proxy/wire/messages.h"

namespace meridian {
namespace {

constexpr std::string_view kLockNotAvailable = "55P03";
constexpr std::string_view kInvalidSchemaName = "3F000";

// The last SET: a timeout that fires while the lock is being granted is told by what the server
// does next (proc.c, ProcSleep: LOCK_TIMEOUT keeps its indicator), here and not in the next
// message.
constexpr char kLock[] =
    ";SAVEPOINT meridian_snapshot;SET LOCAL lock_timeout = '30ms'"
    ";LOCK TABLE meridian.snapshot_gate IN SHARE MODE;SET LOCAL lock_timeout = 0";
constexpr char kSnapshot[] =
    "SELECT 1;ROLLBACK TO SAVEPOINT meridian_snapshot;RELEASE SAVEPOINT meridian_snapshot";

SqlError NotTogether() {
  return {.sqlstate = std::string(sqlstate::kSerializationFailure),
          .message = "could not take snapshots of all shards that belong together",
          .detail = "A transaction on several shards is being committed all the time.",
          .hint =
              "Run the transaction again; SHOW TRANSACTIONS in the admin database shows "
              "what is prepared."};
}

}  // namespace

void SnapshotGate::Start() {
  phase_ = Phase::kLock;
  again_ = false;
  rollbacks_ = 0;
  ++tries_;
  SendAll(begin_ + kLock);
}

void SnapshotGate::SendAll(const std::string& sql) {
  for (Branch& branch : branches_) {
    if (branch.server == nullptr) continue;
    branch.server->SendQuery(sql);
    branch.owes = true;
  }
}

bool SnapshotGate::Has(const Server& server) const {
  return std::any_of(branches_.begin(), branches_.end(), [&server](const Branch& branch) {
    return branch.server == &server && branch.owes;
  });
}

void SnapshotGate::OnEvent(Server& server, const wire::MessageStream::Event& event) {
  if (event.kind != wire::MessageStream::Kind::kMessage) return;
  if (event.type == wire::kErrorResponse) {
    OnError(wire::ToSqlError(wire::ParseErrorFields(event.body())));
  } else if (event.type == wire::kReadyForQuery) {
    server.transaction_status = event.body().empty() ? wire::kIdle : event.body()[0];
    for (Branch& branch : branches_) {
      if (branch.server == &server) branch.owes = false;
    }
    Advance();
  }
}

void SnapshotGate::OnError(SqlError error) {
  if (error.sqlstate == kLockNotAvailable && (tries_ < kTries || phase_ == Phase::kRollback)) {
    again_ = true;
    return;
  }
  if (error_) return;
  if (error.sqlstate == kLockNotAvailable) {
    error = NotTogether();
  } else if (error.sqlstate == kInvalidSchemaName || error.sqlstate == sqlstate::kUndefinedTable) {
    error = {.sqlstate = std::string(sqlstate::kObjectNotInPrerequisiteState),
             .message = "a shard is not ready for snapshots that belong together",
             .detail = error.message + ".",
             .hint =
                 "Meridian creates what is missing when its control user can log in there; "
                 "or SET meridian.snapshot = 'local'."};
  }
  error_ = std::move(error);
}

void SnapshotGate::OnClosed(const Server& server, const SqlError& reason) {
  for (Branch& branch : branches_) {
    if (branch.server != &server) continue;
    branch.server = nullptr;
    branch.owes = false;
    if (!error_) error_ = reason;
    Advance();
  }
}

void SnapshotGate::Advance() {
  if (done()) return;
  for (const Branch& branch : branches_) {
    if (branch.owes) return;
  }
  if (phase_ == Phase::kRollback) {
    const bool open = AnyOpen();
    if (open && rollbacks_ < kRollbacks) return Rollback();
    if (open && !error_) error_ = NotTogether();
    if (error_) {
      phase_ = Phase::kDone;
    } else {
      Start();
    }
  } else if (error_ || again_) {
    Rollback();
  } else if (phase_ == Phase::kLock) {
    phase_ = Phase::kSnapshot;
    SendAll(kSnapshot);
  } else {
    phase_ = Phase::kDone;
  }
}

void SnapshotGate::Rollback() {
  phase_ = Phase::kRollback;
  ++rollbacks_;
  for (Branch& branch : branches_) {
    if (!IsOpen(branch)) continue;
    branch.server->SendQuery("ROLLBACK");
    branch.owes = true;
  }
  Advance();
}

bool SnapshotGate::IsOpen(const Branch& branch) {
  return branch.server != nullptr && branch.server->transaction_status != wire::kIdle;
}

bool SnapshotGate::AnyOpen() const {
  return std::any_of(branches_.begin(), branches_.end(), IsOpen);
}

}  // namespace meridian
