// The end of a transaction that is open on several servers.
//
// Where several have written, all of them but one PREPARE TRANSACTION, and the last, the lead, has
// a record of the decision in its own transaction (meridian.decide, sql/shard/support.sql): so
// its COMMIT decides for all. After that nothing can fail any more; what cannot be told now,
// because a server died, is told later by proxy/control/transaction_recovery.h, which asks the
// lead's record. Who has only read commits first, since it may still fail (serialization). Who has
// locked rows or tables for what others write is as one that has written: its locks must outlast
// its server. Where nobody has written, who has locked commits last.
//
//            lead                    other writers    readers
//   kPrepare SELECT meridian.decide  PREPARE          COMMIT
//   kDecide  COMMIT
//   kFinish                          COMMIT PREPARED
//   kAbort: who is in a transaction ROLLBACK, who has prepared ROLLBACK PREPARED
//
// Best effort, for servers that cannot prepare: kFinish is a plain COMMIT, which may fail.
//
// The session has seen to it that no server owes an answer. Pure; its session's thread only.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/pool/server.h"
#include "proxy/session/session_host.h"
#include "proxy/wire/message_stream.h"

namespace meridian {

class TransactionEnd {
 public:
  enum class Outcome : uint8_t {
    kCommitted,
    kRolledBack,  // by an error; by none: as asked, or a server had given it up before
    kUnknown,     // the lead's answer is lost
  };

  // `best_effort`: no PREPARE. `before_prepare`: SQL for all that have written, with a semicolon;
  // or empty.
  TransactionEnd(SessionHost& host, bool best_effort, std::string before_prepare)
      : host_(host), best_effort_(best_effort), before_prepare_(std::move(before_prepare)) {}
  ~TransactionEnd();
  TransactionEnd(const TransactionEnd&) = delete;
  TransactionEnd& operator=(const TransactionEnd&) = delete;

  // What a server has done in the transaction. `locked`: rows or tables, by the words of a
  // statement for several shards. `pinned`: it holds something of the session (a temporary table,
  // LISTEN), with which PostgreSQL cannot PREPARE.
  struct Part {
    bool wrote = false;
    bool locked = false;
    bool pinned = false;
  };
  // `shard`: its name; empty: it was dropped, so recovery does not come there, and nothing is to be
  // prepared. The first that wrote leads, or rather one that is pinned.
  void Add(Server& server, std::string_view shard, Part part);
  // Start one of them; once.
  void Commit();
  void Rollback();

  // Whether the server has something to answer.
  bool Has(const Server& server) const;
  // Takes an event of a server that Has.
  void OnEvent(Server& server, const wire::MessageStream::Event& event);
  // The server is gone, before it has answered or after. Takes any server.
  void OnClosed(const Server& server, const SqlError& reason);
  void OnCancelDone() { Advance(); }

  // All have answered.
  bool done() const { return phase_ == Phase::kDone; }
  // It is known how it ends, though not all servers have been told.
  bool decided() const { return done() || phase_ == Phase::kFinish; }
  // Nothing has been decided: it can be cancelled.
  bool open() const { return phase_ == Phase::kPrepare || phase_ == Phase::kDecide; }
  // To stop now would leave it to the recovery.
  bool settling() const { return started_ && !done() && several_wrote_; }

  // Precondition: decided().
  Outcome outcome() const { return outcome_; }
  // Why it is not committed, or not everywhere (best effort).
  const std::optional<SqlError>& error() const { return error_; }
  // Shards that are committed, but could not be told yet.
  const std::vector<SqlError>& warnings() const { return warnings_; }

 private:
  enum class Phase : uint8_t { kPrepare, kDecide, kFinish, kAbort, kDone };
  struct Branch {
    Server* server;  // nullptr: it is gone
    std::string shard;
    Part part;
    bool lead = false;
    bool owes = false;      // an answer
    bool prepared = false;  // or may have
    bool failed = false;    // what was sent in this phase
    std::string tag;        // of what was sent in this phase
  };

  void Pass(std::string_view fault_point);
  void PassWhenSent(std::string_view fault_point);
  void Send(Branch& branch, const std::string& sql);
  void OnError(Branch& branch, SqlError error);
  void OnAnswered(Branch& branch);
  void Fail(SqlError error);
  // To the next phase, when all have answered.
  void Advance();
  void StartDecide();
  void StartFinish();
  void StartAbort();
  void End(Outcome outcome);
  SqlError NotTold(const Branch& branch, const std::string& reason) const;
  static SqlError NotReady(const Branch& branch, const SqlError& reason);
  void FailInPart(const Branch& branch, const SqlError& reason);
  static SqlError LeadIsLost(const Branch& lead, const SqlError& reason);

  SessionHost& host_;
  const bool best_effort_;
  const std::string before_prepare_;
  absl::InlinedVector<Branch, 4> branches_;
  bool several_wrote_ = false;  // so that it takes two phases
  bool started_ = false;
  std::string name_;  // of the prepared transactions; empty: none
  Phase phase_ = Phase::kPrepare;
  Outcome outcome_ = Outcome::kCommitted;
  std::optional<SqlError> error_;
  std::vector<SqlError> warnings_;
};

}  // namespace meridian
