// What a session does about key ranges on the move (rebalance/README.md): it does not begin to use
// one that is held, and it knows which ones, and which map, its running transaction still uses.

#include "proxy/session/session.h"

namespace meridian {
namespace {

// Cut-overs take milliseconds; only a mover that has died may leave a range held for longer, and
// another takes over within seconds.
constexpr uint64_t kHeldUsMax = 30'000'000;

}  // namespace

// Whether its snapshots last as long as the transaction does.
bool Session::KeepsSnapshot() const {
  if (!transaction_.open()) return false;
  const std::string level = IsolationLevel();
  return level == "repeatable read" || level == "serializable";
}

// The ranges on the move of which the transaction has a snapshot that does not change.
MovingSet Session::MovingInSnapshot() const {
  const ShardMap& map = host_.router().map();
  if (map.moving().empty() || !KeepsSnapshot()) return 0;
  if (gate_ != nullptr || fanout_ != nullptr) return ~MovingSet{0};  // being taken
  MovingSet set = 0;
  for (const Participant& participant : participants_) {
    if (participant.in_transaction) set |= map.MovingAt(participant.shard);
  }
  return set;
}

// Before a statement uses what the decision says. kBlocked: a range is held, the session waits for
// another map; an error where that has lasted too long. What a transaction has changed or locked in
// a range it may go on to use: whoever holds the range waits for its end.
Session::Progress Session::EnterMoving(const Decision& decision, bool writes, absl::Status* error) {
  const MovingSet wanted = decision.shards.moving();
  if (wanted == 0) return Progress::kDone;
  if (fenced_at_ != Epoch{} && fenced_at_ == host_.router().map().epoch()) {
    return AwaitMap(decision.shards.first(), error);
  }
  const MovingSet held = wanted & host_.HeldRanges() & ~moving_used_;
  if (held != 0 && (held & ~MovingInSnapshot()) != 0) {
    return AwaitMap(decision.shards.first(), error);
  }
  if (held_since_us_ != 0) host_.metrics().held_time.Record(host_.NowUs() - held_since_us_);
  held_since_us_ = 0;
  if (!writes) return Progress::kDone;
  moving_used_ |= wanted;
  host_.PassFaultPoint("write.planned", false);
  return Progress::kDone;
}

// The same for a snapshot that is to last: one from before the rows have come, or after they are
// gone, would be wrong for the new owner of the range, or for the old one.
Session::Progress Session::EnterSnapshot(ShardIndex shard, absl::Status* error) {
  const ShardMap& map = host_.router().map();
  const MovingSet held = map.moving().empty() ? 0 : map.held() & map.MovingAt(shard);
  if (held == 0 || !KeepsSnapshot()) return Progress::kDone;
  if ((held & ~(MovingInSnapshot() | moving_used_)) == 0) return Progress::kDone;
  return AwaitMap(shard, error);
}

Session::Progress Session::AwaitMap(ShardIndex shard, absl::Status* error) {
  const uint64_t now = host_.NowUs();
  if (held_since_us_ == 0) held_since_us_ = now;
  if (closing_ || now - held_since_us_ >= kHeldUsMax) {
    held_since_us_ = 0;
    *error = SqlStatus(sqlstate::kCannotConnectNow,
                       "the keys of this statement are in a range that is moving to another shard, "
                       "and the move does not go on",
                       "Run it again later; SHOW MOVES in the admin database tells more.");
    return Progress::kDone;
  }
  StartWait(shard);
  awaiting_nodes_ = true;
  host_.AwaitMap(*this);
  return Progress::kBlocked;
}

// Of the map that a statement begins with, nothing is left once it has ended, unless it has written
// or taken a snapshot that lasts.
void Session::NoteMap() {
  const Epoch now = host_.router().map().epoch();
  if (map_in_use_ == now) return;
  if (map_in_use_ == Epoch{} || !OutlivesStatement()) map_in_use_ = now;
}

bool Session::OutlivesStatement() const {
  if (!transaction_.open() && !batch_open_) return false;
  if (moving_used_ != 0 || KeepsSnapshot() || batch_wrote_) return true;
  for (const Participant& participant : participants_) {
    if (participant.in_transaction && (participant.wrote || participant.locked)) return true;
  }
  return false;
}

std::optional<Epoch> Session::OldestMapInUse() const {
  if (closing_ || map_in_use_ == Epoch{}) return std::nullopt;
  const bool held = awaiting_nodes_ && pending_.empty() && fanout_ == nullptr;
  const bool running = !pending_.empty() || fanout_ != nullptr || ending_ != nullptr ||
                       gate_ != nullptr || copy_in_ != nullptr ||
                       copy_fanout_ != CopyFanout::kNone || broadcast_ != nullptr ||
                       (waiting_ && !held);
  if (running || OutlivesStatement()) return map_in_use_;
  return std::nullopt;
}

MovingSet Session::MovingInUse() const { return moving_used_ | MovingInSnapshot(); }

void Session::TranslateMoving(const ShardMap& before, const ShardMap& after) {
  MovingSet now = 0;
  for (const MovingRange& at : before.moving()) {
    const KeyRange& old = before.range(at);
    if ((moving_used_ & old.moving) == 0) continue;
    for (const MovingRange& candidate : after.moving()) {
      if (after.range(candidate).name == old.name) now |= after.range(candidate).moving;
    }
  }
  moving_used_ = now;
}

}  // namespace meridian
