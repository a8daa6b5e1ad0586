// Opens a transaction in REPEATABLE READ on several servers such that their snapshots belong
// together: of any other transaction over several shards, all of them show what it wrote, or none
// does, through whichever proxies both go.
//
// Each shard has a table that nobody reads, meridian.snapshot_gate (sql/shard/support.sql). A
// transaction that commits on several shards locks it in ROW EXCLUSIVE mode on each of them, from
// before its PREPARE until its rows are visible there; these locks do not exclude each other. Who
// takes snapshots locks it in SHARE mode on all shards, and only then has each server take its
// snapshot. While all the SHARE locks are held, a commit that is visible on one of the shards has
// passed on all of them, and one that is not cannot become visible on any. LOCK TABLE itself takes
// no snapshot, and the lock is given back with the savepoint under which it was taken; the
// snapshot stays.
//
// A commit that has passed on one shard and one that waits on another can block each other: so the
// wait for the locks is short, and is tried again from the beginning.
//
// The session has made the servers ready; none owes an answer. Pure; its session's thread only.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <optional>
#include <string>

#include "proxy/pool/server.h"
#include "proxy/wire/message_stream.h"

namespace meridian {

class SnapshotGate {
 public:
  // Of 30 ms each: longer than the recovery needs for what a dead proxy has left prepared.
  static constexpr int kTries = 400;
  // What cancels a statement, a lock timeout included, may come so late that it hits ROLLBACK, and
  // the transaction is still open.
  static constexpr int kRollbacks = 10;

  // `begin`: BEGIN and what else opens the transaction.
  explicit SnapshotGate(std::string begin) : begin_(std::move(begin)) {}

  void Add(Server& server) { branches_.push_back({&server}); }
  void Start();

  // Whether the server has something to answer.
  bool Has(const Server& server) const;
  // Takes an event of a server that Has.
  void OnEvent(Server& server, const wire::MessageStream::Event& event);
  // The server is gone. Takes any server.
  void OnClosed(const Server& server, const SqlError& reason);

  bool done() const { return phase_ == Phase::kDone; }
  // Precondition: done(). Why there are no snapshots; the transaction is open nowhere then, but on
  // a server that has not ended it in kRollbacks.
  const std::optional<SqlError>& error() const { return error_; }

 private:
  enum class Phase : uint8_t { kLock, kSnapshot, kRollback, kDone };
  struct Branch {
    Server* server;  // nullptr: it is gone
    bool owes = false;
  };

  void SendAll(const std::string& sql);
  void OnError(SqlError error);
  void Advance();
  void Rollback();
  static bool IsOpen(const Branch& branch);
  bool AnyOpen() const;

  const std::string begin_;
  absl::InlinedVector<Branch, 4> branches_;
  Phase phase_ = Phase::kLock;
  int tries_ = 0;
  int rollbacks_ = 0;   // of this try
  bool again_ = false;  // a lock was not to be had in time
  std::optional<SqlError> error_;
};

}  // namespace meridian
