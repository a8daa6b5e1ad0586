// What a move waits for: its shards, the proxies, replicas, locks, the throttle, and what is
// wished.
#include "rebalance/move_waits.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "metrics/log.h"
#include "rebalance/move_phase.h"
#include "rebalance/move_run.h"
#include "rebalance/pressure.h"

namespace meridian {

using namespace move_run;  // NOLINT: its other parts

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kBetweenLocks{200};
constexpr milliseconds kBetweenLooks{2};

}  // namespace

absl::Status MoveRun::ConnectShards() {
  if (slice_) return absl::OkStatus();
  changes_counted_ = 0;
  following_ = false;
  return ConnectSlice(journal_.move().back, slice_);
}

absl::Status MoveRun::ConnectSlice(bool back, std::optional<Slice>& slice, Slice::Ends ends) {
  if (slice) return absl::OkStatus();
  auto map = store_.Load();
  if (!map.ok()) return map.status();
  MoveRecord move = journal_.move();
  move.back = back;
  ShardAccess access = options_.shards;
  access.login.stop = stop_;
  access.login.application_name = MoverApplicationName(move.id, back);
  std::string there = fmt::format("meridian_{}_move_{}", tenure_.tag, move.id);
  std::string way_back = fmt::format("meridian_{}_moveback_{}", tenure_.tag, move.id);
  if (back) std::swap(there, way_back);
  slice.emplace(SliceOptions{std::move(there), std::move(way_back), move.copies, term_, back,
                             move.request.options.full_identity});
  absl::Status ready = slice->Open(*map, move.Way(), access, ends);
  if (ready.ok()) ready = slice->TakeOver();
  if (!ready.ok()) slice.reset();
  return ready;
}

absl::Status MoveRun::AwaitProxies(Epoch epoch) {
  for (;;) {
    std::vector<SlowProxy> slow;
    absl::Status asked = store_.Use([&](PgConnection& catalog) -> absl::Status {
      auto found = ProxiesBefore(catalog, epoch);
      if (!found.ok()) return found.status();
      slow = *std::move(found);
      for (const SlowProxy& proxy : slow) {
        if (!proxy.lapsed) continue;
        auto gone = ForgetIfGone(catalog, proxy.name, options_.application_prefix,
                                 {&slice_->source(), &slice_->target()});
        if (!gone.ok()) return gone.status();
      }
      return absl::OkStatus();
    });
    if (!asked.ok()) return asked;
    if (slow.empty()) return journal_.NoteWait("");
    if (absl::Status noted = journal_.NoteWait(NamesOf(slow)); !noted.ok()) return noted;
    Sleep(milliseconds(20), stop_);
    if (stopped()) return Stopped();
    if (journal_.move().phase == move_phase::kSwitched) continue;  // there is only forward
    if (absl::Status pulse = Pulse(); !pulse.ok()) return pulse;
  }
}

// Before the source's rows go: whichever node is the target's primary next has them then. And from
// the end of the move on, the map does not say any more what replicas must have replayed; one that
// is cut off from its primary serves nobody once it is too old.
absl::Status MoveRun::AwaitReplicas() {
  auto map = store_.Load();
  if (!map.ok()) return map.status();
  const auto target = (*map)->FindShard(journal_.way().target);
  const size_t replicas = target ? (*map)->shard(*target).nodes.size() - 1 : 0;
  const std::string complete_at = LsnText(target ? (*map)->CompleteAt(*target) : 0);
  const auto deadline = steady_clock::now() + options_.replica_lag_max;
  while (replicas > 0 && steady_clock::now() < deadline) {
    auto complete = slice_->target().Query(
        "SELECT count(*) >= $2::bigint FROM pg_stat_replication WHERE replay_lsn >= $1::pg_lsn",
        {{complete_at}, {std::to_string(replicas)}});
    if (!complete.ok()) return complete.status();
    if (complete->Get(0, 0) == "t") break;
    if (absl::Status noted = journal_.NoteWait("replicas of the target"); !noted.ok()) return noted;
    Sleep(milliseconds(100), stop_);
    if (stopped()) return Stopped();
  }
  return absl::OkStatus();
}

absl::Status MoveRun::AwaitDrained(Epoch epoch, steady_clock::time_point deadline) {
  for (;;) {
    std::vector<SlowProxy> slow;
    absl::Status asked = store_.Use([&](PgConnection& catalog) -> absl::Status {
      auto found = ProxiesUsing(catalog, epoch, journal_.way().range);
      if (found.ok()) slow = *std::move(found);
      return found.status();
    });
    if (!asked.ok()) return asked;
    if (slow.empty()) return absl::OkStatus();
    if (steady_clock::now() >= deadline) {
      return SqlStatus(
          "55P03", fmt::format("transactions that use the range do not end ({})", NamesOf(slow)));
    }
    // What the source does meanwhile is applied meanwhile.
    const auto followed = slice_->follower().Until("", steady_clock::now() + kBetweenLooks);
    if (!followed.ok()) return followed.status();
    if (stopped()) return Stopped();
  }
}

absl::Status MoveRun::CheckWish() {
  const auto wish = journal_.ReadWish();
  if (!wish.ok()) return wish.status();
  if (*wish == MoveWish::kPause) {
    if (!copying_) return SqlStatus(kPaused, "the move is paused");
    // Its snapshot would be lost: it rests where it is.
    Sleep(kPulse, stop_);
    return stopped() ? Stopped() : CheckWish();
  }
  if (*wish == MoveWish::kCancel) return SqlStatus(kCancelled, "the move is cancelled");
  throttle_.set_max_rate(journal_.move().request.options.max_rate);
  return absl::OkStatus();
}

absl::Status MoveRun::Pulse() {
  if (stopped()) return Stopped();
  const auto now = steady_clock::now();
  if (now - pulse_ < kPulse) return absl::OkStatus();
  if (journal_.move().phase == move_phase::kCopying && progress_.bytes_copied) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now - pulse_).count();
    progress_.rate = (*progress_.bytes_copied - pulse_bytes_) * 1'000'000 / uint64_t(us);
    pulse_bytes_ = *progress_.bytes_copied;
    auto pressures = slice_->Pressures(journal_.move().request.options.max_replica_lag);
    if (!pressures.ok()) return pressures.status();
    const auto clients = Latencies();
    if (!clients.ok()) return clients.status();
    pressures->insert(pressures->end(), clients->begin(), clients->end());
    throttle_.Adapt(*pressures, NowUs());
    progress_.throttled_by = throttle_.reason();
  }
  pulse_ = now;
  if (absl::Status told = TellLag(); !told.ok()) return told;
  return CheckWish();
}

absl::StatusOr<std::vector<Pressure>> MoveRun::Latencies() {
  std::vector<Pressure> latencies;
  absl::Status asked = store_.Use([&](PgConnection& catalog) -> absl::Status {
    auto found = LatencyPressure(catalog, journal_.move().id, latency_seen_);
    if (found.ok()) latencies = *std::move(found);
    return found.status();
  });
  if (!asked.ok()) return asked;
  return latencies;
}

absl::Status MoveRun::TellLag() {
  if (following_) {
    const auto lag = slice_->ReadLag();
    if (!lag.ok()) return lag.status();
    progress_.lag_bytes = lag->bytes;
    progress_.log_kept_bytes = lag->kept_bytes;
    progress_.changes_applied = slice_->changes();
    CountChanges();
  }
  return NoteProgress();
}

absl::Status MoveRun::NoteProgress() {
  gauges_.lag_bytes.Set(static_cast<int64_t>(progress_.lag_bytes.value_or(0)));
  gauges_.lag_us.Set(static_cast<int64_t>(progress_.lag_ms.value_or(0)) * 1000);
  gauges_.log_kept_bytes.Set(static_cast<int64_t>(progress_.log_kept_bytes.value_or(0)));
  gauges_.throttled.Set(progress_.throttled_by.empty() ? 0 : 1);
  return journal_.Note(progress_);
}

void MoveRun::CountChanges() {
  const uint64_t changes = slice_->changes();
  if (changes > changes_counted_)
    options_.metrics->move_changes.AddShared(changes - changes_counted_);
  changes_counted_ = changes;
}

absl::Status MoveRun::OnRows(const CopiedRows& piece) {
  if (*progress_.bytes_copied == 0) {
    pulse_ = steady_clock::now();
    if (absl::Status noted = journal_.NoteWait(""); !noted.ok()) return noted;
  }
  *progress_.rows_copied += piece.rows;
  *progress_.bytes_copied += piece.bytes;
  options_.metrics->move_rows.AddShared(piece.rows);
  options_.metrics->move_bytes.AddShared(piece.bytes);
  const auto until =
      steady_clock::now() + std::chrono::microseconds(throttle_.Take(piece.bytes, NowUs()));
  for (;;) {
    if (absl::Status pulse = Pulse(); !pulse.ok()) return pulse;
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    if (left <= milliseconds(0)) return absl::OkStatus();
    Sleep(std::min(left, kPulse), stop_);
  }
}

absl::Status MoveRun::NoteWaitFor(const char* what, const absl::StatusOr<std::string>& who) {
  return journal_.NoteWait(who.ok() && !who->empty() ? fmt::format("{}: {}", what, *who) : what);
}

absl::Status MoveRun::RetryLocks(const char* what, Slice& slice,
                                 absl::FunctionRef<absl::Status()> attempt) {
  const bool can_stop = journal_.move().phase == move_phase::kCopying;  // else it has been decided
  for (;;) {
    absl::Status done = attempt();
    if (done.ok()) return journal_.NoteWait("");
    if (!IsLockTimeout(done)) return done;
    if (absl::Status noted = NoteWaitFor(what, slice.WhoUsesTables()); !noted.ok()) return noted;
    Sleep(kBetweenLocks, stop_);
    if (stopped()) return Stopped();
    if (!can_stop) continue;
    if (absl::Status pulse = Pulse(); !pulse.ok()) return pulse;
  }
}

}  // namespace meridian
