// Statements that run elsewhere after all, which the client does not notice as long as it has seen
// nothing of the answer. Reads that a replica did not answer (it died, cancelled them for its
// replay, does not know the table yet, or a function wanted to write after all) run on the primary.
// Writes that the fence of a move has refused (rebalance/fence.h), since they were planned by a map
// from before its swap, have had no effect: they run by the next map.

#include <utility>

#include "proxy/session/session.h"
#include "proxy/wire/error_response.h"
#include "proxy/wire/messages.h"

namespace meridian {
namespace {

// A longer statement is not kept: its errors are the client's.
constexpr size_t kKeptBytesMax = 64 << 10;

// What may come before the first row.
bool ComesBeforeRows(const wire::MessageStream::Event& event) {
  if (event.kind != wire::MessageStream::Kind::kMessage) return false;
  switch (event.type) {
    case wire::kParseComplete:
    case wire::kBindComplete:
    case wire::kRowDescription:
    case wire::kParameterDescription:
    case wire::kNoData:
    case wire::kNoticeResponse:
    case wire::kParameterStatus:
      return true;
    default:
      return false;
  }
}

}  // namespace

// The statement at hand is about to be sent to the participant alone: `message` and `rest` are its
// messages from Query or Bind on, `written` the ranges on the move that it may write to.
void Session::KeepStatement(const Participant& participant, MovingSet written,
                            std::string_view message, std::string_view rest) {
  const bool on_replica = participant.replica != nullptr;
  // A shard that the client has chosen is the same by every map.
  const bool may_be_fenced = written != 0 && meridian_.shard.empty();
  if (transaction_.open() || (!on_replica && !may_be_fenced)) return;
  if (message.size() + rest.size() > kKeptBytesMax) return;
  retry_ = std::make_unique<Retry>(on_replica, host_.router().map().epoch());
  retry_->input.reserve(message.size() + rest.size());
  retry_->input.append(message).append(rest);
  retry_->unplaced = unplaced_;
}

// Whether the answer waits for the first row, or comes to nothing.
bool Session::HoldAnswer(const wire::MessageStream::Event& event) {
  if (retry_->failed) return true;
  if (ComesBeforeRows(event)) {
    retry_->held.append(event.bytes);
    return true;
  }
  ReleaseAnswer();
  return false;
}

// From now on the client sees the answer as it comes.
void Session::ReleaseAnswer() {
  out.Append(retry_->held);
  retry_ = nullptr;
}

// For the client, in the order of the answers.
void Session::Emit(std::string_view bytes) {
  if (retry_ == nullptr) {
    out.Append(bytes);
  } else if (!retry_->failed) {
    retry_->held.append(bytes);
  }
}

// Whether the error is one that comes of where the statement runs. Not one that the client has
// asked for.
bool Session::RunsElsewhere(std::string_view sqlstate) const {
  if (retry_ == nullptr) return false;
  return retry_->on_replica ? sqlstate != sqlstate::kQueryCanceled
                            : sqlstate == sqlstate::kRangeHasMoved;
}

// What is still owed comes and goes unseen; as in OnError, an error ends a batch up to its Sync.
void Session::OnFailedAttempt(Server& server) {
  retry_->failed = true;
  Participant& participant = *FindParticipant(server);
  participant.unclean = true;  // a setting may be what has failed
  while (!pending_.empty() && pending_.front().request != wire::kQuery &&
         pending_.front().request != wire::kSync) {
    const Pending& pending = pending_.front();
    if (pending.request == wire::kParse && pending.prepared_id != 0) {
      server.prepared.Remove(pending.prepared_id);
      if (server.unnamed_statement == pending.prepared_id) server.unnamed_statement = 0;
    }
    pending_.pop_front();
  }
}

// The replica is gone.
void Session::OnReplicaClosed(const NodeSamples& replica) {
  retry_->failed = true;
  pending_.clear();
  active_ = batch_server_ = nullptr;
  host_.OnReplicaFailed(replica);
}

// When nothing of the failed attempt is owed any more: the same messages again.
void Session::RunElsewhere() {
  const std::unique_ptr<Retry> retry = std::move(retry_);
  if (retry->on_replica) {
    avoid_replicas_ = true;
  } else {
    fenced_at_ = retry->planned_at;
    moving_used_ = 0;
  }
  // As when idle, but this is no moment for a drain to end the session.
  active_ = nullptr;
  portals_.clear();
  unnamed_portal_ = {};
  ReleaseParticipants(false);
  inbox_.insert(inbox_used_, retry->input);
  stalled_ = true;
  for (Unplaced& unplaced : retry->unplaced) {
    batch_open_ = true;
    if (!unplaced.local && !unplaced.name.empty()) unconfirmed_.push_back(unplaced.name);
    unplaced_.push_back(std::move(unplaced));
  }
}

// The same of a read of several shards, of which nothing was shown.
bool Session::RunFanoutOnPrimaries() {
  const SqlError& error = *fanout_->error();
  if (transaction_.open() || fanout_->shown() || error.sqlstate == sqlstate::kQueryCanceled ||
      avoid_replicas_ || copy_fanout_ != CopyFanout::kNone) {
    return false;
  }
  if (!fanout_reads_replicas_) return false;
  avoid_replicas_ = true;
  fanout_.reset();
  return true;
}

}  // namespace meridian
