#include "proxy/session/transaction_end.h"

#include <algorithm>

#include "proxy/wire/error_response.h"
#include "proxy/wire/messages.h"
#include "sharding/byte_reader.h"

namespace meridian {

using wire::MessageStream;

namespace {

constexpr std::string_view kUniqueViolation = "23505";
constexpr std::string_view kInvalidSchemaName = "3F000";

}  // namespace

TransactionEnd::~TransactionEnd() {
  if (!name_.empty()) host_.EndTransactionName(name_);
}

void TransactionEnd::Add(Server& server, std::string_view shard, Part part) {
  branches_.push_back({.server = &server, .shard = std::string(shard), .part = part, .tag = {}});
}

void TransactionEnd::Send(Branch& branch, const std::string& sql) {
  branch.server->SendQuery(sql);
  branch.owes = true;
  branch.failed = false;
  branch.tag.clear();
}

void TransactionEnd::Rollback() {
  started_ = true;
  StartAbort();
}

void TransactionEnd::Commit() {
  started_ = true;
  Branch* lead = nullptr;
  for (Branch& branch : branches_) {
    if (!branch.part.wrote) continue;
    several_wrote_ |= lead != nullptr;
    if (lead == nullptr || (branch.part.pinned && !lead->part.pinned)) lead = &branch;
  }
  if (lead != nullptr) {
    lead->lead = true;
    // What is written must not become visible without the locks under which it was.
    for (Branch& branch : branches_) {
      several_wrote_ |= branch.part.locked && &branch != lead;
      branch.part.wrote |= branch.part.locked;
    }
  }
  const bool prepares = several_wrote_ && !best_effort_;
  if (prepares && std::any_of(branches_.begin(), branches_.end(), [](const Branch& branch) {
        return branch.part.wrote && branch.shard.empty();
      })) {
    error_ = {.sqlstate = std::string(sqlstate::kCannotConnectNow),
              .message = "a shard on which the transaction has written was dropped",
              .detail = {},
              .hint = "Run the transaction again."};
    StartAbort();
    return;
  }
  if (prepares) {
    name_ = host_.NewTransactionName(lead->shard);
    Pass("commit.begin");
  }
  for (Branch& branch : branches_) {
    if (!branch.part.wrote) {
      if (!branch.part.locked) Send(branch, "COMMIT");
    } else if (prepares && branch.lead) {
      Send(branch, before_prepare_ + "SELECT meridian.decide('" + name_ + "')");
    } else if (prepares) {
      Send(branch, before_prepare_ +
                       "LOCK TABLE meridian.snapshot_gate IN ROW EXCLUSIVE MODE;"
                       "PREPARE TRANSACTION '" +
                       name_ + "'");
      branch.prepared = true;
    }
  }
  PassWhenSent("commit.prepare_sent");
  Advance();
}

// Those of a commit in two phases.
void TransactionEnd::Pass(std::string_view fault_point) {
  if (!name_.empty()) host_.PassFaultPoint(fault_point, false);
}

void TransactionEnd::PassWhenSent(std::string_view fault_point) {
  if (!name_.empty()) host_.PassFaultPoint(fault_point, true);
}

bool TransactionEnd::Has(const Server& server) const {
  return std::any_of(branches_.begin(), branches_.end(), [&server](const Branch& branch) {
    return branch.server == &server && branch.owes;
  });
}

void TransactionEnd::OnEvent(Server& server, const MessageStream::Event& event) {
  if (event.kind != MessageStream::Kind::kMessage) return;
  const auto branch =
      std::find_if(branches_.begin(), branches_.end(),
                   [&server](const Branch& candidate) { return candidate.server == &server; });
  switch (event.type) {
    case wire::kCommandComplete:
      branch->tag = std::string(ByteReader(event.body()).String());
      break;
    case wire::kErrorResponse:
      OnError(*branch, wire::ToSqlError(wire::ParseErrorFields(event.body())));
      break;
    case wire::kReadyForQuery:
      server.transaction_status = event.body().empty() ? wire::kIdle : event.body()[0];
      branch->owes = false;
      OnAnswered(*branch);
      if (phase_ == Phase::kPrepare && branch->part.wrote) Pass("commit.prepared_one");
      if (phase_ == Phase::kFinish) Pass("commit.finished_one");
      Advance();
      break;
    default:
      break;
  }
}

void TransactionEnd::OnError(Branch& branch, SqlError error) {
  branch.failed = true;
  switch (phase_) {
    case Phase::kPrepare:
    case Phase::kDecide:
      branch.prepared = false;  // it has rolled back
      Fail(phase_ == Phase::kPrepare && !name_.empty() ? NotReady(branch, error)
                                                       : std::move(error));
      break;
    case Phase::kFinish:
      if (!branch.part.wrote) break;
      if (!branch.prepared) {
        FailInPart(branch, error);
      } else if (error.sqlstate != sqlstate::kUndefinedObject) {
        // Where there is no such transaction any more, the recovery was faster.
        warnings_.push_back(NotTold(branch, error.message));
      }
      break;
    case Phase::kAbort:
    case Phase::kDone:
      break;
  }
}

// PostgreSQL answers COMMIT and PREPARE TRANSACTION with ROLLBACK where the transaction has failed
// before.
void TransactionEnd::OnAnswered(Branch& branch) {
  const bool may_fail = phase_ == Phase::kPrepare || phase_ == Phase::kDecide;
  if (!may_fail || branch.failed || branch.tag != "ROLLBACK") return;
  branch.failed = true;
  branch.prepared = false;
  outcome_ = Outcome::kRolledBack;
}

void TransactionEnd::Fail(SqlError error) {
  outcome_ = Outcome::kRolledBack;
  if (!error_) error_ = std::move(error);
}

void TransactionEnd::OnClosed(const Server& server, const SqlError& reason) {
  for (Branch& branch : branches_) {
    if (branch.server != &server) continue;
    branch.server = nullptr;
    const bool owed = std::exchange(branch.owes, false);
    if (phase_ == Phase::kFinish && owed && branch.part.wrote) {
      if (branch.prepared) {
        warnings_.push_back(NotTold(branch, reason.message));
      } else {
        FailInPart(branch, reason);
      }
    } else if (phase_ == Phase::kDecide && owed) {
      error_ = LeadIsLost(branch, reason);
      return End(Outcome::kUnknown);
    } else if (phase_ == Phase::kPrepare && (owed || branch.part.wrote)) {
      Fail(reason);
    }
  }
  Advance();
}

void TransactionEnd::Advance() {
  if (!started_ || done()) return;
  for (const Branch& branch : branches_) {
    if (branch.owes) return;
    // It would hit ROLLBACK PREPARED, and leave that to the recovery.
    if (open() && branch.server != nullptr && branch.server->cancels_in_flight > 0) return;
  }
  switch (phase_) {
    case Phase::kPrepare:
      if (outcome_ == Outcome::kRolledBack) return StartAbort();
      return StartDecide();
    case Phase::kDecide:
      if (outcome_ == Outcome::kRolledBack) return StartAbort();
      return StartFinish();
    case Phase::kFinish:
      return End(outcome_);
    case Phase::kAbort:
      return End(Outcome::kRolledBack);
    case Phase::kDone:
      return;
  }
}

void TransactionEnd::StartDecide() {
  phase_ = Phase::kDecide;
  const auto lead = std::find_if(branches_.begin(), branches_.end(),
                                 [](const Branch& branch) { return branch.lead; });
  if (lead == branches_.end()) return StartFinish();  // nobody wrote
  Pass("commit.prepared");
  Send(*lead, "COMMIT");
  PassWhenSent("commit.decide_sent");
}

void TransactionEnd::StartFinish() {
  phase_ = Phase::kFinish;
  Pass("commit.decided");
  for (Branch& branch : branches_) {
    if (branch.lead) continue;
    if (!branch.part.wrote) {
      if (branch.part.locked && branch.server != nullptr) Send(branch, "COMMIT");
    } else if (branch.server == nullptr) {
      warnings_.push_back(NotTold(branch, "the connection is lost"));
    } else {
      Send(branch, best_effort_ ? "COMMIT" : "COMMIT PREPARED '" + name_ + "'");
    }
  }
  PassWhenSent("commit.finish_sent");
  Advance();
}

void TransactionEnd::StartAbort() {
  phase_ = Phase::kAbort;
  for (Branch& branch : branches_) {
    if (branch.server == nullptr) continue;
    if (branch.prepared) {
      Send(branch, "ROLLBACK PREPARED '" + name_ + "'");
    } else if (branch.server->transaction_status != wire::kIdle) {
      Send(branch, "ROLLBACK");
    }
  }
  PassWhenSent("commit.abort_sent");
  Advance();
}

void TransactionEnd::End(Outcome outcome) {
  outcome_ = outcome;
  phase_ = Phase::kDone;
  if (outcome == Outcome::kCommitted) Pass("commit.finished");
}

SqlError TransactionEnd::NotTold(const Branch& branch, const std::string& reason) const {
  return {.sqlstate = "01000",
          .message = "the transaction is committed, but shard \"" + branch.shard +
                     "\" could not be told yet: " + reason,
          .detail = "Its part is the prepared transaction \"" + name_ + "\".",
          .hint = "Meridian commits it there as soon as the shard answers."};
}

// The answer to meridian.decide, or to PREPARE TRANSACTION and what it needs.
SqlError TransactionEnd::NotReady(const Branch& branch, const SqlError& reason) {
  if (branch.lead && reason.sqlstate == kUniqueViolation &&
      reason.message.find("decisions_pkey") != std::string::npos) {
    return {.sqlstate = std::string(sqlstate::kSerializationFailure),
            .message =
                "the transaction was rolled back by the recovery, since its COMMIT took too long",
            .detail = {},
            .hint = "Run it again."};
  }
  const bool is_missing = reason.sqlstate == kInvalidSchemaName ||
                          reason.sqlstate == sqlstate::kUndefinedFunction ||
                          reason.sqlstate == sqlstate::kUndefinedTable;
  // PREPARE TRANSACTION runs deferred triggers, which may miss something of their own.
  if (is_missing && reason.message.find("meridian") != std::string::npos) {
    return {.sqlstate = std::string(sqlstate::kObjectNotInPrerequisiteState),
            .message = "shard \"" + branch.shard +
                       "\" is not ready for transactions that write on several shards",
            .detail = reason.message + ".",
            .hint =
                "Meridian creates what is missing when its control user can log in there; "
                "SHOW TRANSACTIONS in the admin database says why it could not."};
  }
  return reason;
}

void TransactionEnd::FailInPart(const Branch& branch, const SqlError& reason) {
  outcome_ = Outcome::kUnknown;
  if (error_) return;
  error_ = {.sqlstate = std::string(sqlstate::kTransactionResolutionUnknown),
            .message = "the transaction is committed in part: not on shard \"" + branch.shard +
                       "\": " + reason.message,
            .detail = "meridian.multi_shard_commit is \"best_effort\".",
            .hint = "Set it to \"two_phase\", so that this cannot happen."};
}

SqlError TransactionEnd::LeadIsLost(const Branch& lead, const SqlError& reason) {
  return {.sqlstate = std::string(sqlstate::kTransactionResolutionUnknown),
          .message = "it is not known whether the transaction is committed: shard \"" + lead.shard +
                     "\" was lost: " + reason.message,
          .detail = "It is or becomes so, or not, on all shards alike.",
          .hint = "Read what it has written, when the shard answers again."};
}

}  // namespace meridian
