// Which reads may go to a replica, and to which.

#include <absl/container/inlined_vector.h>

#include <utility>

#include "proxy/session/causality_token.h"
#include "proxy/session/session.h"
#include "proxy/wire/messages.h"
#include "sharding/byte_reader.h"

namespace meridian {

// Whether the statement may be answered by a replica. In a transaction block only if the client has
// said that it will not write: what it reads on the way to a write must be what the write finds.
Session::Access Session::AccessOf(const Statement& statement) {
  if (statement.differs_on_replica || statement.pin != PinReason::kNone || script_ != nullptr) {
    return Access::kPrimary;
  }
  const bool in_transaction = transaction_.open();
  if (!in_transaction && !statement.reads_tables) return Access::kPrimary;
  const auto primary = [this](ReadPlace why) {
    CountRead(why);
    return Access::kPrimary;
  };
  if (meridian_.read_consistency == ReadConsistency::kStrong) return primary(ReadPlace::kStrong);
  if (pin_ != PinReason::kNone || identity_.pool_mode == PoolMode::kSession) {
    return primary(ReadPlace::kSession);
  }
  if (in_transaction && (transaction_.implicit() || !ReadOnlyTransaction())) {
    return primary(ReadPlace::kTransaction);
  }
  // What was seen of it on one shard, a replica of another need not have.
  if (!in_transaction && statement.reads_reference &&
      meridian_.read_consistency == ReadConsistency::kMonotonic) {
    return primary(ReadPlace::kReference);
  }
  // Hot standby has no SERIALIZABLE.
  if (IsolationLevel() == "serializable") return primary(ReadPlace::kTransaction);
  if (avoid_replicas_) return primary(ReadPlace::kFailed);
  return Access::kReplica;
}

// Once for a statement, though its handler may be entered several times.
void Session::CountRead(ReadPlace place) {
  if (!std::exchange(read_counted_, true)) host_.metrics().reads[place].Add();
}

bool Session::ReadOnlyTransaction() const {
  if (const auto mode = transaction_.Modes().read_only) return *mode;
  const std::string* const by_default = FindSetting("default_transaction_read_only");
  return by_default != nullptr && (*by_default == "on" || *by_default == "true");
}

// How many bytes behind the Bind at hand are its Describe, Execute and Sync. 0: there is something
// else, or not all has come: the batch may go on with a write, which would have to go elsewhere in
// the same transaction.
size_t Session::RestOfBatch() const {
  if (batch_server_ != nullptr || batch_executed_ || !pending_.empty()) return 0;
  for (const Unplaced& unplaced : unplaced_) {
    if (unplaced.request != wire::kParse && unplaced.request != wire::kDescribe) return 0;
  }
  bool executed = false;
  std::string_view rest = behind_;
  while (rest.size() >= wire::kHeaderBytes) {
    const size_t size = size_t{LoadU32(rest.data() + 1)} + 1;
    if (rest.size() < size) return 0;
    switch (rest[0]) {
      case wire::kDescribe:
        if (executed) return 0;
        break;
      case wire::kExecute:
        if (executed) return 0;
        executed = true;
        break;
      case wire::kSync:
        return executed ? behind_.size() - rest.size() + size : 0;
      default:
        return 0;
    }
    rest.remove_prefix(size);
  }
  return 0;
}

// Whether what the session must find is on the replica. `connected`: see ReadNeeds::Met.
bool Session::Qualifies(ShardIndex shard, const ShardNodes& nodes, const NodeSamples& replica,
                        uint64_t server, uint64_t connected) {
  // Rows that a move has brought to the shard must be there at every level: elsewhere they are
  // gone.
  const Lsn complete_at = host_.router().map().CompleteAt(shard);
  if (complete_at != 0 && replica.as_replica().lsn < complete_at) return false;
  if (meridian_.read_consistency == ReadConsistency::kEventual) return true;
  if (meridian_.read_consistency == ReadConsistency::kBounded) {
    const uint64_t now = host_.NowUs();
    const uint64_t covers = replica.covers_us();
    if (replica.as_replica().number <= connected || covers == 0 ||
        (now > covers && now - covers > uint64_t{meridian_.max_staleness_ms} * 1000)) {
      return false;
    }
  }
  return needs_ == nullptr || needs_->Met(shard, nodes, replica, server, connected);
}

// A server for a read: of a replica that has what the session must find, else of the primary.
absl::StatusOr<Session::Participant*> Session::AcquireForRead(ShardIndex shard) {
  const ShardNodes* const nodes = host_.NodesOf(shard);
  if (nodes == nullptr || nodes->replicas.empty()) return AcquireInstead(shard, ReadPlace::kNone);
  absl::InlinedVector<size_t, 4> usable;
  absl::InlinedVector<size_t, 4> candidates;
  for (const size_t i : nodes->replicas) {
    const NodeSamples* const samples = nodes->nodes[i].samples.get();
    if (samples == nullptr || !samples->usable()) continue;
    usable.push_back(i);
    if (Qualifies(shard, *nodes, *samples, 0, 0)) candidates.push_back(i);
  }
  if (candidates.empty() && !usable.empty() && AwaitReplica(shard)) return nullptr;
  if (candidates.empty()) {
    return AcquireInstead(shard, usable.empty() ? ReadPlace::kNone : ReadPlace::kBehind);
  }
  const auto target = host_.ReplicaPoolOf(*this, shard, candidates);
  if (!target) return AcquireInstead(shard, ReadPlace::kFailed);
  const std::shared_ptr<const NodeSamples> samples = nodes->nodes[target->node].samples;
  Server* const server = host_.pools().Acquire(*target->pool, *this);
  if (server == nullptr) {
    StartWait(shard, samples);
    return nullptr;
  }
  Participant& participant = AddParticipant(shard, *server, samples);
  if (StillQualifies(participant)) return &participant;
  GiveBack(participant);
  return AcquireInstead(shard, ReadPlace::kBehind);
}

// False: it is not to be waited for, or long enough.
bool Session::AwaitReplica(ShardIndex shard) {
  const uint64_t limit = host_.replica_wait_us();
  if (limit == 0) return false;
  const uint64_t now = host_.NowUs();
  if (replica_missing_since_us_ == 0) replica_missing_since_us_ = now;
  if (now - replica_missing_since_us_ >= limit) return false;
  AwaitNodes(shard);
  return true;
}

absl::StatusOr<Session::Participant*> Session::AcquireInstead(ShardIndex shard, ReadPlace why) {
  auto participant = Acquire(shard);
  if (participant.ok() && *participant != nullptr) CountRead(why);
  return participant;
}

// Whether a replica that was chosen, and may have been waited for, may be read now.
bool Session::StillQualifies(const Participant& participant) {
  const ShardNodes* const nodes = host_.NodesOf(participant.shard);
  return nodes != nullptr && participant.replica->usable() &&
         Qualifies(participant.shard, *nodes, *participant.replica, participant.server->id,
                   participant.server->first_sample);
}

// What the session has written, or in monotonic seen, it must find from now on.
void Session::NoteSeen(const Participant& participant) {
  const bool reads = meridian_.read_consistency == ReadConsistency::kMonotonic;
  if (!participant.has_written && !(reads && participant.used)) return;
  if (needs_ == nullptr) needs_ = std::make_unique<ReadNeeds>();
  // One that was chosen without regard to what is needed may lack it: the primary has all of both.
  if (participant.replica != nullptr && participant.has_needs) {
    needs_->NoteReplica(participant.shard, participant.replica, participant.server->id);
    return;
  }
  const ShardNodes* const nodes = host_.NodesOf(participant.shard);
  if (nodes != nullptr) needs_->NotePrimary(participant.shard, *nodes);
}

absl::Status Session::RequireToken(std::string_view token) {
  const auto positions = ParseCausalityToken(token);
  if (!positions.ok()) return positions.status();
  for (const CausalPosition& position : *positions) {
    // A shard that is not there any more holds nothing that could be missed.
    const auto shard = host_.router().map().FindShard(position.shard);
    if (!shard) continue;
    if (needs_ == nullptr) needs_ = std::make_unique<ReadNeeds>();
    needs_->Require(*shard, position.lsn);
  }
  return absl::OkStatus();
}

// Blocked until the sample has come that tells where the session's last write is.
Session::Progress Session::ShowCausalityToken(absl::StatusOr<std::string>* tag) {
  if (!acquire_error_.ok()) {
    *tag = std::exchange(acquire_error_, absl::OkStatus());
    return Progress::kDone;
  }
  std::vector<CausalPosition> positions;
  const auto& shards = host_.router().map().shards();
  for (uint16_t i = 0; needs_ != nullptr && i < shards.size(); ++i) {
    const ShardNodes* const nodes = host_.NodesOf({i});
    Lsn lsn = 0;
    if (nodes == nullptr) continue;
    if (!needs_->PositionOf({i}, *nodes, &lsn)) {
      if (AwaitSample({i})) return Progress::kBlocked;
      *tag = SqlStatus(sqlstate::kCannotConnectNow,
                       "the primary of shard \"" + shards[i].name +
                           "\" does not tell where the session's last write is",
                       "SHOW NODES in the admin database tells more.");
      return Progress::kDone;
    }
    if (lsn != 0) positions.push_back({shards[i].name, lsn});
  }
  primary_missing_since_us_ = 0;
  *tag = ShowRow(std::string(kCausalityToken), FormatCausalityToken(positions));
  return Progress::kDone;
}

// False: it has waited long enough.
bool Session::AwaitSample(ShardIndex shard) {
  constexpr uint64_t kTimeoutUs = 10'000'000;
  const uint64_t now = host_.NowUs();
  if (primary_missing_since_us_ == 0) primary_missing_since_us_ = now;
  if (now - primary_missing_since_us_ >= kTimeoutUs) {
    primary_missing_since_us_ = 0;
    return false;
  }
  AwaitNodes(shard);
  return true;
}

// Where a transaction reads on a replica, it must not do there what a primary would do otherwise;
// what cannot be done in a read-only transaction fails there as well, in PostgreSQL's own words.
// And the replica must have what is asked of it by now, which may be more than when it was chosen.
absl::Status Session::CheckOnReplica(const Statement& statement, const Participant& participant) {
  if (participant.replica == nullptr) return absl::OkStatus();
  if (DoesOtherwiseOnReplica(statement)) {
    return Refused("this statement needs the primary, but its transaction reads on a replica",
                   "SET meridian.read_consistency = 'strong' before the transaction.");
  }
  const bool reads = statement.reads_tables || statement.verb == Verb::kDeclareCursor;
  if (!participant.in_transaction || !reads) return absl::OkStatus();
  if (meridian_.read_consistency == ReadConsistency::kStrong) {
    return Refused("meridian.read_consistency is 'strong', but the transaction reads on a replica",
                   "Set it before the transaction.");
  }
  const ShardNodes* const nodes = host_.NodesOf(participant.shard);
  if (nodes != nullptr && Qualifies(participant.shard, *nodes, *participant.replica,
                                    participant.server->id, participant.server->first_sample)) {
    return absl::OkStatus();
  }
  return SqlStatus(sqlstate::kSerializationFailure,
                   "the replica that this transaction reads on does not have what the session must "
                   "find by now",
                   "Run the transaction again.");
}

bool Session::DoesOtherwiseOnReplica(const Statement& statement) {
  if (statement.pin != PinReason::kNone) return true;
  if (!statement.differs_on_replica) return false;
  switch (statement.verb) {
    case Verb::kSelect:
    case Verb::kCopyOut:
    case Verb::kCall:
    case Verb::kListen:
    case Verb::kUnlisten:
    case Verb::kNotify:
    case Verb::kDeclareCursor:
    case Verb::kExplain:
    case Verb::kOther:
      return true;
    default:
      return false;
  }
}

}  // namespace meridian
