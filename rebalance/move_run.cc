#include "rebalance/move_run.h"

#include <fmt/format.h>

#include <utility>

#include "metrics/log.h"
#include "rebalance/map_steps.h"
#include "rebalance/move_phase.h"
#include "rebalance/move_waits.h"
#include "rebalance/mover_lease.h"
#include "rebalance/preflight.h"
#include "rebalance/pressure.h"
#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian {

using namespace move_run;  // NOLINT: its other parts

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The locks of the fence's triggers hold up who wants the table behind them.
constexpr milliseconds kTriggerLock{100};
// What a removal leaves others between its batches.
constexpr milliseconds kBetweenRemovals{10};

// A copy begins.
constexpr std::string_view kNextCopy = "copies = copies + 1, verified = false";

// Trying again would take what room there is from the clients.
constexpr std::string_view kDiskFull = "53100";

// What does not get better by trying again.
bool IsFinal(const absl::Status& status) {
  const std::string state = StateOf(status);
  return state == sqlstate::kObjectNotInPrerequisiteState ||
         state == sqlstate::kFeatureNotSupported || state == sqlstate::kUndefinedTable ||
         state == "42P17" || state == "42809" || state == kRowsDiffer || state == "23505" ||
         state == sqlstate::kInsufficientPrivilege || state == kDiskFull;
}

}  // namespace

MoveRun::MoveRun(const MoverOptions& options, CatalogStore& store, MoveRecord move, Tenure tenure)
    : options_(options),
      store_(store),
      journal_(store, std::move(move), tenure.term),
      tenure_(std::move(tenure)),
      throttle_(journal_.move().request.options.max_rate),
      gauges_(*options.metrics) {}

absl::Status MoveRun::Run() {
  for (;;) {
    if (stopped()) return Stopped();
    const std::string phase = journal_.move().phase;
    absl::Status done = Step();
    if (!done.ok() && StateOf(done) == kPaused) {
      // Nobody is to wait for a move that rests.
      const bool holds = phase == move_phase::kSwitching || phase == move_phase::kUndoing;
      return holds ? UndoSwitch() : absl::OkStatus();
    }
    if (!done.ok() && StateOf(done) == kCancelled) {
      done = phase == move_phase::kQueued  // then there is nothing to undo
                 ? journal_.End(move_phase::kCancelled, WhatHasMoved(),
                                [](MapDraft&) { return absl::OkStatus(); })
                 : journal_.Enter(move_phase::kCancelling);
    }
    if (!done.ok()) {
      const bool can_fail = phase == move_phase::kQueued || phase == move_phase::kAnnounced ||
                            phase == move_phase::kCopying || phase == move_phase::kFollowing;
      if (IsFinal(done) && can_fail) return Fail(done);
      journal_.NoteWait(ToSqlError(done).message).IgnoreError();
      return done;
    }
    const std::string_view now = journal_.move().phase;
    const bool done_well = now == move_phase::kDone || now == move_phase::kReversed;
    if (done_well || now == move_phase::kCancelled || now == move_phase::kFailed) {
      LogInfo("a move has ended", {{"move", journal_.move().id}, {"how", now}});
      (done_well ? options_.metrics->moves_done : options_.metrics->moves_undone).AddShared();
      return absl::OkStatus();
    }
  }
}

absl::Status MoveRun::Step() {
  const std::string& phase = journal_.move().phase;
  if (phase == move_phase::kSwitched) return Switched();
  if (phase == move_phase::kCleaning) return Cleaning();
  if (phase == move_phase::kCancelling) return Cancelling();
  if (phase == move_phase::kReversible) return Reversible();
  if (absl::Status wish = CheckWish(); !wish.ok()) return wish;
  if (phase == move_phase::kQueued) return Queued();
  if (phase == move_phase::kAnnounced) return Announced();
  if (phase == move_phase::kCopying) return Copying();
  if (phase == move_phase::kFollowing) return Following();
  // Somebody has died, or lost the catalog, while the range was held.
  if (phase == move_phase::kSwitching || phase == move_phase::kUndoing) return UndoSwitch();
  return SqlStatus(sqlstate::kInternalError, fmt::format("unknown phase \"{}\" of a move", phase));
}

// ---------------------------------------------------------------------------------------------
// The phases

absl::Status MoveRun::Queued() {
  if (absl::Status connected = ConnectShards(); !connected.ok()) return connected;
  if (journal_.move().request.options.reversible) {
    if (absl::Status back = ConnectSlice(true, back_); !back.ok()) return back;
  }
  absl::Status fine =
      CheckBeforehand(journal_.move().request.source, *slice_, back_ ? &*back_ : nullptr);
  back_.reset();
  if (!fine.ok()) return fine;
  const auto size = slice_->EstimateSize();
  if (!size.ok()) return size.status();
  absl::Status latency = store_.Use(
      [&](PgConnection& catalog) { return NoteLatencyBefore(catalog, journal_.move().id); });
  if (!latency.ok()) return latency;
  progress_ = {};
  const auto bytes = journal_.NoteSize(size->rows, size->bytes);
  if (!bytes.ok()) return bytes.status();
  const auto slice_end = NextSlice(*bytes);
  if (!slice_end.ok()) return slice_end.status();
  if (absl::Status passed = PassPoint("move.announce"); !passed.ok()) return passed;
  if (slice_end->has_value()) {
    auto map = store_.Load();
    if (!map.ok()) return map.status();
    MapDraft now = DraftOf(**map);
    const std::string whole = journal_.move().request.range;
    MoveRequest slice = journal_.move().request;
    slice.range = FreeRangeName(now, whole);
    slice_.reset();  // it was of the whole
    return journal_.BeginSlice(move_phase::kAnnounced, slice.range, [&](MapDraft& draft) {
      return map_steps::AnnounceSlice(slice, whole, **slice_end, draft);
    });
  }
  auto map = journal_.Enter(move_phase::kAnnounced, "", [&](MapDraft& draft) {
    return map_steps::Announce(journal_.way(), draft);
  });
  return map.status();
}

absl::StatusOr<std::optional<KeyBound>> MoveRun::NextSlice(uint64_t bytes) {
  const auto size = static_cast<double>(journal_.move().request.options.slice_size);
  // None is worth it for a small rest.
  if (size == 0 || static_cast<double>(bytes) < 1.5 * size) return std::nullopt;
  return slice_->PointAt(size / static_cast<double>(bytes));
}

absl::Status MoveRun::EndSlice() {
  const MoveRecord& move = journal_.move();
  const std::string moved = move.moved.empty() ? move.slice : move.moved;
  absl::Status ended =
      journal_.EndSlice(move_phase::kQueued, moved, [&](MapDraft& draft) -> absl::Status {
        if (absl::Status rests = map_steps::End(journal_.way(), draft); !rests.ok()) return rests;
        map_steps::Join(moved, move.slice, moved, draft);
        return absl::OkStatus();
      });
  slice_.reset();
  back_.reset();
  return ended;
}

std::string MoveRun::WhatHasMoved() const {
  const MoveRecord& move = journal_.move();
  if (move.moved.empty()) return "";
  return fmt::format("what has moved stays: key range \"{}\" of shard \"{}\"", move.moved,
                     move.request.target);
}

absl::Status MoveRun::Announced() {
  if (absl::Status passed = PassPoint("move.announced"); !passed.ok()) return passed;
  auto epoch = store_.LoadEpoch();
  if (!epoch.ok()) return epoch.status();
  if (absl::Status connected = ConnectShards(); !connected.ok()) return connected;
  if (absl::Status known = AwaitProxies(*epoch); !known.ok()) return known;
  return journal_.Enter(move_phase::kCopying, kNextCopy);
}

absl::Status MoveRun::Copying() {
  if (absl::Status passed = PassPoint("move.copying"); !passed.ok()) return passed;
  slice_.reset();  // named after the copy
  back_.reset();
  if (absl::Status wish = CheckWish(); !wish.ok()) return wish;
  if (absl::Status connected = ConnectShards(); !connected.ok()) return connected;
  if (absl::Status dropped = slice_->DropStreams(); !dropped.ok()) return dropped;
  absl::Status removed = slice_->RemoveFromTarget([&] {
    absl::Status mine = ActAsMover(slice_->target(), term_);
    return mine.ok() ? Pulse() : mine;
  });
  if (!removed.ok()) return removed;
  absl::Status raised = RetryLocks("a lock on a table of the source", *slice_,
                                   [&] { return slice_->RaiseFence(kTriggerLock); });
  if (!raised.ok()) return raised;
  if (absl::Status back = PrepareWayBack(); !back.ok()) return back;
  verified_ = false;
  progress_ = {};
  progress_.rows_copied = 0;
  progress_.bytes_copied = 0;
  pulse_bytes_ = 0;
  absl::Status waits = NoteWaitFor("transactions that run on the source", slice_->WhoRuns());
  if (!waits.ok()) return waits;
  const auto clients = Latencies();
  if (!clients.ok()) return clients.status();
  if (!clients->empty()) throttle_.BeginSlowly();
  copying_ = true;
  absl::Status copied = slice_->Copy([&](const CopiedRows& piece) { return OnRows(piece); });
  copying_ = false;
  if (!copied.ok()) return copied;
  progress_.rate.reset();
  progress_.throttled_by.clear();
  const MoveRecord& move = journal_.move();
  if (move.slice.empty() && move.slices == 0) {
    progress_.rows_expected = progress_.rows_copied;
    progress_.bytes_expected = progress_.bytes_copied;
  }
  if (absl::Status noted = NoteProgress(); !noted.ok()) return noted;
  if (absl::Status passed = PassPoint("move.copied"); !passed.ok()) return passed;
  return journal_.Enter(move_phase::kFollowing);
}

// Its slot must be there before the target owns the range; what is applied until then is skipped,
// since it is behind the place from which the way back begins.
absl::Status MoveRun::PrepareWayBack() {
  if (!journal_.move().request.options.reversible) return absl::OkStatus();
  if (absl::Status connected = ConnectSlice(true, back_); !connected.ok()) return connected;
  if (absl::Status dropped = back_->DropStreams(); !dropped.ok()) return dropped;
  absl::Status raised = RetryLocks("a lock on a table of the target", *back_,
                                   [&] { return back_->RaiseFence(kTriggerLock); });
  if (!raised.ok()) return raised;
  absl::Status waits = NoteWaitFor("transactions that run on the target", back_->WhoRuns());
  return waits.ok() ? back_->Prepare() : waits;
}

absl::Status MoveRun::Following() {
  if (absl::Status passed = PassPoint("move.following"); !passed.ok()) return passed;
  absl::Status followed = FollowAndSwitch();
  const std::string state = StateOf(followed);
  // A failover of the source has taken the slot, or the stream lacks a value.
  if (state != sqlstate::kUndefinedObject && state != kValueNotSent) return followed;
  if (journal_.move().phase != move_phase::kFollowing) return followed;
  return journal_.Enter(move_phase::kCopying, kNextCopy);
}

absl::Status MoveRun::Switched() {
  if (absl::Status passed = PassPoint("move.switched"); !passed.ok()) return passed;
  progress_ = {};
  if (absl::Status noted = NoteProgress(); !noted.ok()) return noted;
  if (absl::Status connected = ConnectShards(); !connected.ok()) return connected;
  const MoveRecord& move = journal_.move();
  // A server that has taken over may not know of either.
  if (absl::Status closed = slice_->CloseFence(); !closed.ok()) return closed;
  if (move.back) {
    if (absl::Status opened = slice_->OpenTargetsFence(); !opened.ok()) return opened;
  }
  auto epoch = store_.LoadEpoch();
  if (!epoch.ok()) return epoch.status();
  if (absl::Status known = AwaitProxies(*epoch); !known.ok()) return known;
  if (absl::Status complete = AwaitReplicas(); !complete.ok()) return complete;
  const auto wish = journal_.ReadWish();
  if (!wish.ok()) return wish.status();
  if (move.back || !move.request.options.reversible || *wish == MoveWish::kFinish) {
    return journal_.Enter(move_phase::kCleaning);
  }
  if (absl::Status dropped = slice_->DropStreams(); !dropped.ok()) return dropped;
  slice_.reset();
  back_.reset();
  verified_ = false;
  return journal_.Turn(move_phase::kReversible, true);
}

// Here it stays until the operator decides, whatever fails.
absl::Status MoveRun::Reversible() {
  if (absl::Status passed = PassPoint("move.reversible"); !passed.ok()) return passed;
  auto wish = journal_.ReadWish();
  if (wish.ok() && *wish == MoveWish::kFinish) {
    slice_.reset();
    back_.reset();
    return journal_.Turn(move_phase::kCleaning, false);
  }
  if (absl::Status connected = ConnectShards(); !connected.ok()) return connected;
  if (absl::Status closed = slice_->CloseTargetsFence(); !closed.ok()) return closed;
  if (wish.ok() && *wish == MoveWish::kReverse) return FollowAndSwitch();
  if (absl::Status follows = BeginToFollow(); !follows.ok()) return follows;
  progress_.lag_ms.reset();  // there is no barrier to wait for
  if (absl::Status noted = journal_.NoteWait(""); !noted.ok()) return noted;
  while (wish.ok() && *wish != MoveWish::kFinish && *wish != MoveWish::kReverse) {
    if (stopped()) return Stopped();
    const auto followed = slice_->follower().Until("", steady_clock::now() + kPulse);
    if (!followed.ok()) return followed.status();
    if (absl::Status told = TellLag(); !told.ok()) return told;
    wish = journal_.ReadWish();
  }
  return wish.status();
}

absl::Status MoveRun::Cleaning() {
  if (absl::Status passed = PassPoint("move.cleaning"); !passed.ok()) return passed;
  if (absl::Status connected = ConnectShards(); !connected.ok()) return connected;
  if (absl::Status dropped = DropStreams(); !dropped.ok()) return dropped;
  // One that was opened for a way back that did not come about, or that a failover has lost.
  if (absl::Status closed = slice_->CloseFence(); !closed.ok()) return closed;
  absl::Status removed = slice_->RemoveFromSource([&]() -> absl::Status {
    Sleep(kBetweenRemovals, stop_);
    if (stopped()) return Stopped();
    return ActAsMover(slice_->source(), term_);
  });
  if (!removed.ok()) return removed;
  if (absl::Status passed = PassPoint("move.removed"); !passed.ok()) return passed;
  if (absl::Status dropped = DropFences(); !dropped.ok()) return dropped;
  if (absl::Status passed = PassPoint("move.end"); !passed.ok()) return passed;
  const MoveRecord& move = journal_.move();
  if (!move.slice.empty()) return EndSlice();
  return journal_.End(move.back ? move_phase::kReversed : move_phase::kDone, "",
                      [&](MapDraft& draft) -> absl::Status {
                        absl::Status rests = map_steps::End(journal_.way(), draft);
                        if (!rests.ok()) return rests;
                        const std::string& range = move.request.range;
                        map_steps::Join(move.moved, range, range, draft);
                        return absl::OkStatus();
                      });
}

// Before rows are removed, which takes its time: no log is to be kept for it.
absl::Status MoveRun::DropStreams() {
  absl::Status connected = ConnectSlice(!journal_.move().back, back_);
  if (!connected.ok()) return connected;
  absl::Status dropped = slice_->DropStreams();
  return dropped.ok() ? back_->DropStreams() : dropped;
}

absl::Status MoveRun::DropFences() {
  const bool back = journal_.move().back;
  if (absl::Status connected = ConnectSlice(!back, back_); !connected.ok()) return connected;
  for (Slice* const slice : {&*slice_, &*back_}) {
    const char* const lock = (slice == &*slice_) == back ? "a lock on a table of the target"
                                                         : "a lock on a table of the source";
    absl::Status fence = RetryLocks(lock, *slice, [&] { return slice->DropFence(kTriggerLock); });
    if (!fence.ok()) return fence;
  }
  return absl::OkStatus();
}

absl::Status MoveRun::Cancelling() {
  if (absl::Status passed = PassPoint("move.cancelling"); !passed.ok()) return passed;
  slice_.reset();
  back_.reset();
  if (absl::Status connected = ConnectShards(); !connected.ok()) return connected;
  if (absl::Status opened = slice_->OpenFence(); !opened.ok()) return opened;
  if (absl::Status dropped = DropStreams(); !dropped.ok()) return dropped;
  if (absl::Status dropped = DropFences(); !dropped.ok()) return dropped;
  absl::Status removed =
      slice_->RemoveFromTarget([&] { return ActAsMover(slice_->target(), term_); });
  if (!removed.ok()) return removed;
  if (absl::Status passed = PassPoint("move.undo_end"); !passed.ok()) return passed;
  const auto end = [&](MapDraft& draft) -> absl::Status {
    if (absl::Status rests = map_steps::End(journal_.way(), draft); !rests.ok()) return rests;
    const MoveRecord& move = journal_.move();
    map_steps::Join(move.slice, move.request.range, move.request.range, draft);
    return absl::OkStatus();
  };
  auto failed = journal_.Failure();
  if (!failed.ok()) return failed.status();
  return failed->empty() ? journal_.End(move_phase::kCancelled, WhatHasMoved(), end)
                         : journal_.End(move_phase::kFailed, *failed, end);
}

absl::Status MoveRun::Fail(const absl::Status& why) {
  const SqlError error = ToSqlError(why);
  LogWarning("a move cannot be done", {{"move", journal_.move().id}, {"why", error.message}});
  std::string text = error.message;
  if (!error.detail.empty()) text += ": " + error.detail;
  if (!error.hint.empty()) text += fmt::format(" ({})", error.hint);
  if (const std::string moved = WhatHasMoved(); !moved.empty()) text += "; " + moved;
  if (journal_.move().phase == move_phase::kQueued) {
    return journal_.End(move_phase::kFailed, text, [](MapDraft&) { return absl::OkStatus(); });
  }
  absl::Status decided =
      journal_.Enter(move_phase::kCancelling, fmt::format("failure = {}", QuoteLiteral(text)));
  return decided.ok() ? Run() : decided;
}

}  // namespace meridian
