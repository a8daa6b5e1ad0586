// How a range changes owner: the target catches up, the rows are compared, the range is held, the
// source fenced, and the catalog says whose it is; or all that is undone.
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <string>

#include "metrics/log.h"
#include "rebalance/map_steps.h"
#include "rebalance/move_phase.h"
#include "rebalance/move_run.h"
#include "rebalance/move_waits.h"
#include "sharding/sql_status.h"

namespace meridian {

using namespace move_run;  // NOLINT: its other parts

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How fast the target must pass a barrier before a range is held.
constexpr milliseconds kCaughtUp{50};
// Above what a statement may wait for a lock, for its answer.
constexpr milliseconds kAnswer{500};

}  // namespace

absl::Status MoveRun::FollowAndSwitch() {
  if (absl::Status connected = ConnectShards(); !connected.ok()) return connected;
  if (absl::Status follows = BeginToFollow(); !follows.ok()) return follows;
  if (journal_.move().request.options.reversible && !journal_.move().back) {
    if (absl::Status there = ConnectSlice(true, back_); !there.ok()) return there;
    if (absl::Status skipped = back_->SkipChanges(); !skipped.ok()) return skipped;
  }
  for (uint64_t round = 0;; ++round) {
    const std::string barrier =
        fmt::format("caught up {} {} {}", journal_.move().id, term_, NowUs());
    if (absl::Status emitted = slice_->EmitBarrier(barrier); !emitted.ok()) return emitted;
    const auto emitted_at = steady_clock::now();
    for (bool passed = false; !passed;) {
      const auto until = slice_->follower().Until(barrier, steady_clock::now() + kPulse);
      if (!until.ok()) return until.status();
      passed = *until;
      progress_.lag_ms = static_cast<uint64_t>(
          std::chrono::duration_cast<milliseconds>(steady_clock::now() - emitted_at).count());
      if (absl::Status pulse = Pulse(); !pulse.ok()) return pulse;
    }
    if (steady_clock::now() - emitted_at < kCaughtUp) break;
  }
  if (journal_.move().request.options.verify && !verified_) {
    absl::Status waits =
        NoteWaitFor("the comparison of all rows, before it for transactions that run on the source",
                    slice_->WhoRuns());
    if (!waits.ok()) return waits;
    const auto same = slice_->Verify([&] { return Pulse(); });
    if (!same.ok()) return same.status();
    verified_ = *same;
    if (absl::Status noted = verified_ ? journal_.NoteVerified() : absl::OkStatus(); !noted.ok()) {
      return noted;
    }
    if (absl::Status noted = journal_.NoteWait(""); !noted.ok()) return noted;
    if (absl::Status passed = PassPoint("move.verified"); !passed.ok()) return passed;
    return absl::OkStatus();  // catch up once more
  }
  if (journal_.move().back) {  // RESUME MOVE takes a REVERSE back
    const auto wish = journal_.ReadWish();
    if (!wish.ok() || *wish != MoveWish::kReverse) return wish.status();
  }
  const std::unique_lock alone(tenure_.cutover, std::try_to_lock);
  if (!alone.owns_lock()) {  // it comes soon
    return slice_->follower().Until("", steady_clock::now() + kCaughtUp).status();
  }
  auto map =
      journal_.Enter(move_phase::kSwitching, "cutovers = cutovers + 1",
                     [&](MapDraft& draft) { return map_steps::Hold(journal_.way(), draft); });
  if (!map.ok()) return map.status();
  options_.metrics->cutovers.Add();
  slice_->Hurry(journal_.move().request.options.cutover_timeout + kAnswer);
  absl::Status switched = TrySwitch();
  slice_->Unhurry();
  CountChanges();
  if (switched.ok()) return switched;
  options_.metrics->cutovers_undone.Add();
  LogInfo("a cut-over is tried again later",
          {{"move", journal_.move().id}, {"why", ToSqlError(switched).message}});
  following_ = false;
  const absl::Status undone = UndoSwitch();
  return undone.ok() ? switched : undone;
}

absl::Status MoveRun::BeginToFollow() {
  if (following_) return absl::OkStatus();
  absl::Status followed = slice_->Follow();
  following_ = followed.ok();
  return followed;
}

absl::Status MoveRun::TrySwitch() {
  const auto begun = steady_clock::now();
  const auto deadline = begun + journal_.move().request.options.cutover_timeout;
  const auto left = [&] {
    return std::max(milliseconds(1),
                    std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()));
  };
  if (absl::Status passed = PassPoint("move.held"); !passed.ok()) return passed;
  auto epoch = store_.LoadEpoch();
  if (!epoch.ok()) return epoch.status();
  if (absl::Status drained = AwaitDrained(*epoch, deadline); !drained.ok()) return drained;
  if (absl::Status passed = PassPoint("move.drained"); !passed.ok()) return passed;
  const std::string barrier = fmt::format("fence {} {} {}", journal_.move().id, term_, NowUs());
  if (absl::Status armed = slice_->ArmFence(barrier, left()); !armed.ok()) {
    if (!IsLockTimeout(armed)) return armed;
    const auto who = slice_->WhoWrites();
    return SqlStatus("55P03", fmt::format("transactions that have written to the range do not end"
                                          " ({})",
                                          who.ok() && !who->empty() ? *who : "nobody by now"));
  }
  if (absl::Status passed = PassPoint("move.fenced"); !passed.ok()) return passed;
  const auto passed = slice_->follower().Until(barrier, deadline);
  if (!passed.ok()) return passed.status();
  if (!*passed) return SqlStatus("55P03", "the target has not caught up in time");
  const auto complete_at = slice_->TargetPosition();
  if (!complete_at.ok()) return complete_at.status();
  if (journal_.move().back) {  // until now it has refused what came to the former owner
    if (absl::Status opened = slice_->OpenTargetsFence(); !opened.ok()) return opened;
  }
  if (absl::Status passed = PassPoint("move.swap"); !passed.ok()) return passed;
  const uint64_t pause_us = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun).count());
  auto map = journal_.Enter(
      move_phase::kSwitched,
      fmt::format("pause_us = {}, changes_applied = {}, lag_bytes = NULL, lag_ms = NULL", pause_us,
                  slice_->changes()),
      [&](MapDraft& draft) { return map_steps::Swap(journal_.way(), *complete_at, draft); });
  if (!map.ok()) return map.status();
  options_.metrics->cutover_us.Add(pause_us);
  LogInfo("a key range has another owner", {{"move", journal_.move().id},
                                            {"range", journal_.way().range},
                                            {"owner", journal_.way().target},
                                            {"epoch", (*map)->epoch().value},
                                            {"pause_us", pause_us}});
  return absl::OkStatus();
}

// Needs the source alone: it may be the target that has failed. Not before the catalog says that it
// is undone: else the swap may have happened, whatever was heard of it. The fence opens before the
// range is released, so that no statement meets it.
absl::Status MoveRun::UndoSwitch() {
  if (journal_.move().phase != move_phase::kUndoing) {
    if (absl::Status decided = journal_.Enter(move_phase::kUndoing); !decided.ok()) return decided;
  }
  if (absl::Status passed = PassPoint("move.undoing"); !passed.ok()) return passed;
  slice_.reset();
  const bool back = journal_.move().back;
  if (back) {  // where that fails, Reversible sees to it
    if (ConnectShards().ok()) slice_->CloseTargetsFence().IgnoreError();
    slice_.reset();
  }
  std::optional<Slice> source;
  absl::Status connected = ConnectSlice(back, source, Slice::Ends::kSource);
  if (!connected.ok()) return connected;
  if (absl::Status opened = source->OpenFence(); !opened.ok()) return opened;
  if (absl::Status passed = PassPoint("move.undone"); !passed.ok()) return passed;
  auto map =
      journal_.Enter(back ? move_phase::kReversible : move_phase::kFollowing, "",
                     [&](MapDraft& draft) { return map_steps::Release(journal_.way(), draft); });
  return map.status();
}

}  // namespace meridian
