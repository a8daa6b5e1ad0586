// The servers that work for a session: how it gets them, makes them ready and gives them back.

#include <algorithm>
#include <utility>

#include "proxy/session/session.h"
#include "proxy/wire/message_writer.h"

namespace meridian {

Session::Participant* Session::FindParticipant(ShardIndex shard) {
  for (Participant& participant : participants_) {
    if (participant.shard == shard) return &participant;
  }
  return nullptr;
}

Session::Participant* Session::FindParticipant(const Server& server) {
  for (Participant& participant : participants_) {
    if (participant.server == &server) return &participant;
  }
  return nullptr;
}

Session::Participant* Session::OnlyParticipant() {
  return participants_.size() == 1 ? &participants_[0] : nullptr;
}

size_t Session::ParticipantsInTransaction() const {
  return static_cast<size_t>(
      std::count_if(participants_.begin(), participants_.end(),
                    [](const Participant& participant) { return participant.in_transaction; }));
}

// The shard for statements that any shard can answer: the one that the batch, the transaction or a
// pin already uses, so that no other needs to join.
ShardIndex Session::AtHand() const {
  for (const Participant& participant : participants_) {
    if (participant.server == batch_server_) return participant.shard;
  }
  for (const Participant& participant : participants_) {
    if (participant.in_transaction || participant.pinned) return participant.shard;
  }
  return ShardMap::kDefaultShard;
}

void Session::Adopt(Server& server, ShardIndex shard) {
  server.owner = this;
  participants_.push_back({.shard = shard, .server = &server});
}

absl::StatusOr<Session::Participant*> Session::Acquire(ShardIndex shard) {
  if (!acquire_error_.ok()) return std::exchange(acquire_error_, absl::OkStatus());
  auto pool = host_.PoolOf(*this, shard);
  if (!pool.ok()) {
    if (AwaitPrimary(shard, pool.status())) return nullptr;
    return pool.status();
  }
  Server* const server = host_.pools().Acquire(**pool, *this);
  if (server == nullptr) {
    StartWait(shard);
    return nullptr;
  }
  Participant& participant = AddParticipant(shard, *server);
  if (CheckIsPrimary(participant)) return &participant;
  if (awaiting_nodes_) return nullptr;
  return std::exchange(acquire_error_, absl::OkStatus());
}

// Whether the server is the primary's: a node that was replaced may come back as a replica before
// that is noticed. If not, it is given back; then the session waits, or acquire_error_ is set.
bool Session::CheckIsPrimary(Participant& participant) {
  const PoolProfile* const profile = participant.server->pool.profile();
  if (profile == nullptr || !profile->standby) {
    primary_missing_since_us_ = 0;
    return true;
  }
  const ShardIndex shard = participant.shard;
  const absl::Status why =
      SqlStatus(sqlstate::kCannotConnectNow,
                "node " + participant.server->pool.key().node.ToString() + " is not a primary",
                "SHOW NODES in the admin database tells more.");
  GiveBack(participant);
  if (!AwaitPrimary(shard, why)) acquire_error_ = why;
  return false;
}

bool Session::IsPrimaryMissing(const absl::Status& status) {
  const std::string sqlstate = ToSqlError(status).sqlstate;
  return sqlstate == sqlstate::kConnectionFailure || sqlstate == sqlstate::kCannotConnectNow ||
         sqlstate == sqlstate::kAdminShutdown;
}

// The primary is down, or being replaced: nothing was sent yet, so the statement may wait for it.
// False: it has waited long enough, or that would not help.
bool Session::AwaitPrimary(ShardIndex shard, const absl::Status& why) {
  const uint64_t now = host_.NowUs();
  const ShardNodes* const nodes = host_.NodesOf(shard);
  const bool helps = nodes != nullptr && IsPrimaryMissing(why);
  const bool paused = nodes != nullptr && nodes->Primary() != nullptr &&
                      host_.pools().IsPaused(nodes->Primary()->address);
  if (primary_missing_since_us_ == 0) primary_missing_since_us_ = now;
  if (!helps || paused || closing_ ||
      now - primary_missing_since_us_ >= host_.primary_timeout_us()) {
    primary_missing_since_us_ = 0;
    return false;
  }
  AwaitNodes(shard);
  return true;
}

void Session::AwaitNodes(ShardIndex shard) {
  StartWait(shard);
  awaiting_nodes_ = true;
  host_.AwaitNodes(*this);
}

void Session::OnNodesMayHaveChanged() {
  if (!awaiting_nodes_) return;
  host_.MarkDirty(*this);
  EndWait();
  ProcessInbox();
  OnIdle();
}

Session::Participant& Session::AddParticipant(ShardIndex shard, Server& server,
                                              std::shared_ptr<const NodeSamples> replica) {
  server.owner = this;
  if (replica != nullptr && server.first_sample == 0) server.first_sample = replica->started();
  const bool has_needs = meridian_.read_consistency != ReadConsistency::kEventual;
  participants_.push_back(
      {.shard = shard, .server = &server, .replica = std::move(replica), .has_needs = has_needs});
  return participants_.back();
}

// One that nothing was sent to.
void Session::GiveBack(Participant& participant) {
  Server& server = *participant.server;
  server.owner = nullptr;
  participants_.erase(participants_.begin() + (&participant - participants_.data()));
  host_.pools().Return(server, Release::kClean);
}

void Session::StartWait(ShardIndex shard, std::shared_ptr<const NodeSamples> replica) {
  waiting_ = true;
  waiting_since_us_ = host_.NowUs();
  waiting_for_ = shard;
  waiting_replica_ = std::move(replica);
}

void Session::EndWait() {
  waiting_ = false;
  if (std::exchange(awaiting_nodes_, false)) return;  // not for a connection
  const uint64_t waited = host_.NowUs() - waiting_since_us_;
  host_.metrics().wait_time.Record(waited);
  host_.ReportWait(*this, waited);
}

void Session::OnServer(Server& server) {
  host_.MarkDirty(*this);
  EndWait();
  const bool replica = waiting_replica_ != nullptr;
  Participant& participant =
      AddParticipant(waiting_for_, server, std::exchange(waiting_replica_, nullptr));
  if (!replica && !CheckIsPrimary(participant) && awaiting_nodes_) return;
  ProcessInbox();
  acquire_error_ = absl::OkStatus();
  OnIdle();
}

void Session::OnServerFailed(const absl::Status& status) {
  host_.MarkDirty(*this);
  EndWait();
  if (const auto replica = std::exchange(waiting_replica_, nullptr)) {
    // Another, or the primary, can do it.
    avoid_replicas_ = true;
    host_.OnReplicaFailed(*replica);
    ProcessInbox();
    OnIdle();
    return;
  }
  if (AwaitPrimary(waiting_for_, status)) return;
  acquire_error_ = status;
  const ShardMap& map = host_.router().map();
  if (SqlError error = ToSqlError(status);
      error.detail.empty() && waiting_for_.value < map.shards().size()) {
    error.detail = "It is needed for shard \"" + map.shard(waiting_for_).name + "\".";
    acquire_error_ = ToStatus(error);
  }
  ProcessInbox();
  acquire_error_ = absl::OkStatus();
  OnIdle();
}

absl::StatusOr<Session::Participant*> Session::Enlist(ShardIndex shard, Join join, Access access) {
  if (join == Join::kTransaction && (gate_ != nullptr || WantsSnapshots())) {
    absl::Status error;
    if (TakeSnapshots(&error) == Progress::kBlocked) return nullptr;
    if (!error.ok()) return error;
  }
  if (transaction_.open()) {
    absl::Status error;
    if (EnterSnapshot(shard, &error) == Progress::kBlocked) return nullptr;
    if (!error.ok()) return error;
  }
  // One server at a time: answers of the one before must be through first.
  Participant* participant = FindParticipant(shard);
  if (!pending_.empty() && (participant == nullptr || participant->server != active_)) {
    return nullptr;
  }
  if (participant != nullptr && participant->replica != nullptr && !participant->in_transaction &&
      (access == Access::kPrimary || !StillQualifies(*participant))) {
    if (!pending_.empty()) return nullptr;
    NoteSeen(*participant);
    GiveBack(*participant);
    participant = nullptr;
  }
  if (participant == nullptr) {
    auto acquired = access == Access::kReplica ? AcquireForRead(shard) : Acquire(shard);
    if (!acquired.ok() || *acquired == nullptr) return acquired;
    participant = *acquired;
  }
  if (access == Access::kReplica && participant->replica != nullptr && !participant->used) {
    CountRead(ReadPlace::kReplica);
    participant->replica->CountRead();
  }
  participant->used = true;
  SendPrelude(*participant, join);
  return participant;
}

// What must reach the server before the statement: the session's settings, and the open
// transaction. Sent ahead of the statement without waiting for the answers.
void Session::SendPrelude(Participant& participant, Join join) {
  Server& server = *participant.server;
  const bool joins =
      transaction_.open() && !participant.in_transaction && join == Join::kTransaction;
  if (Keeps(participant)
          ? !participant.owns_sequence_values && !participant.in_transaction && pending_.empty()
          : joins) {
    OwnSequenceValues(participant);
  }
  const Ref<const Settings> wanted = SettingsFor(server);
  if (server.settings.get() != wanted.get()) {
    std::string sql = SettingsChangeSql(*server.settings, *wanted);
    if (participant.in_transaction && transaction_.open()) {
      const std::string local = SetLocalAgainSql(*transaction_.local(), *server.settings, *wanted);
      if (!local.empty()) sql.append(";").append(local);
    }
    if (!sql.empty()) {
      server.SendQuery(sql);
      pending_.Add(wire::kQuery, Pending::Show::kSwallow, Pending::Purpose::kSettings);
      active_ = &server;
      host_.metrics().settings_replays.Add();
    }
    server.settings = wanted;
  }
  if (joins) {
    server.SendQuery(transaction_.JoinText());
    pending_.Add(wire::kQuery, Pending::Show::kSwallow, Pending::Purpose::kBegin);
    active_ = &server;
    participant.in_transaction = true;
    participant.wrote = false;
  }
}

// What others have drawn from sequences on the connection, and this session in other transactions,
// is forgotten: it is not what currval() and lastval() are to show. Before BEGIN, since DISCARD
// takes a snapshot, and then SET TRANSACTION would come too late.
void Session::OwnSequenceValues(Participant& participant) {
  participant.owns_sequence_values = true;
  Server& server = *participant.server;
  if (!std::exchange(server.holds_sequence_values, false)) return;
  server.SendQuery("DISCARD SEQUENCES");
  pending_.Add(wire::kQuery, Pending::Show::kSwallow, Pending::Purpose::kPrepare);
  active_ = &server;
}

void Session::NoteWrite(Participant& participant, const Statement& statement) {
  if (statement.draws) drew_on_.Add(participant.shard);
  NoteWrite(participant, statement.writes);
}

// Whatever writes may draw from a sequence: by a default, a trigger, a function.
void Session::NoteWrite(Participant& participant, bool writes) {
  writes = writes && participant.replica == nullptr;  // where it could only fail
  participant.wrote |= writes;
  participant.has_written |= writes;
  participant.server->holds_sequence_values |= writes;
}

// Whether the server stays with the session beyond the transaction.
bool Session::Keeps(const Participant& participant) const {
  return participant.pinned || identity_.pool_mode == PoolMode::kSession;
}

void Session::ReleaseParticipants(bool all) {
  for (size_t i = 0; i < participants_.size();) {
    Participant& participant = participants_[i];
    const bool keep = !all && (Keeps(participant) || participant.in_transaction);
    if (keep) {
      if (!transaction_.open()) {
        NoteSeen(participant);
        participant.wrote = participant.locked = participant.has_written = false;
      }
      ++i;
      continue;
    }
    NoteSeen(participant);
    Server& server = *participant.server;
    const Release how =
        participant.pinned || participant.unclean ? Release::kReset : Release::kClean;
    server.owner = nullptr;
    participants_.erase(participants_.begin() + static_cast<ptrdiff_t>(i));
    host_.pools().Return(server, how);
  }
  if (participants_.empty()) drew_on_ = {};
}

ShardIndex Session::PreferredShard(const Statement& statement) const {
  if (statement.verb == Verb::kFetch || statement.verb == Verb::kCloseCursor) {
    const auto cursor = cursors_.find(statement.name);
    if (cursor != cursors_.end()) return cursor->second;
  }
  return AtHand();
}

absl::Status Session::CheckUnknownSettings(const ShardSet& shards) const {
  for (const Participant& participant : participants_) {
    if (!participant.has_unknown_setting || shards == ShardSet::Of(participant.shard)) continue;
    return Refused(
        "set_config() was called with what only one shard knows, and this statement runs on others",
        "Give the setting's name and value as literals or parameters, or use SET.");
  }
  return absl::OkStatus();
}

// Whether the statement may run there now.
//
// Another client may have used the connection's sequences last, but for where this one has just
// written, or keeps the connection.
absl::Status Session::CheckRunnable(const Statement& statement, const Participant& participant) {
  if (const absl::Status status = CheckOnReplica(statement, participant); !status.ok()) {
    return status;
  }
  if (pin_ == PinReason::kOpaqueSetting && (statement.reads_tables || statement.writes)) {
    const absl::Status status = CheckUnknownSettings(ShardSet::Of(participant.shard));
    if (!status.ok()) return status;
  }
  const bool keeps = participant.owns_sequence_values &&
                     (Keeps(participant) || (transaction_.open() && participant.wrote));
  if (transaction_.open() && ParticipantsInTransaction() > 1) {
    if (const absl::Status status = CheckIsolation(); !status.ok()) return status;
  }
  if (!statement.reads_sequence_state) return absl::OkStatus();
  if (!drew_on_.empty() && !(drew_on_ == ShardSet::Of(participant.shard))) {
    return Refused("currval() and lastval() do not show what an INSERT has drawn on another shard",
                   "Use INSERT ... RETURNING.");
  }
  if (keeps) return absl::OkStatus();
  return Refused(
      "currval() and lastval() work only in a transaction that has called nextval() or inserted",
      "Call them before COMMIT, use INSERT ... RETURNING, or pool_mode session.");
}

}  // namespace meridian
