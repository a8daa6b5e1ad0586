// One move, from the phase in which the catalog has it to its end, or to where it must wait. The
// phases are in move_phase.h, what they do on the shards in slice.h, to the map in map_steps.h.
// Blocking; one thread.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "metrics/counters.h"
#include "metrics/gauge_share.h"
#include "rebalance/move_journal.h"
#include "rebalance/pressure.h"
#include "rebalance/proxies.h"
#include "rebalance/slice.h"
#include "rebalance/throttle.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/store.h"

namespace meridian {

struct MoverOptions {
  CatalogOptions catalog;
  ShardAccess shards;
  std::string proxy;  // this one's name
  // In front of a proxy's name, the application name of a connection that each keeps to each shard.
  std::string application_prefix;
  std::chrono::milliseconds replica_lag_max{30'000};  // who is further behind serves nobody
  std::chrono::milliseconds lease{6'000};
  std::chrono::milliseconds balance_interval{60'000};  // between looks of the automatic balancer
  ProcessMetrics* metrics = nullptr;                   // not null; the moves' part is written
};

// What a run has of its mover.
struct Tenure {
  uint64_t term = 0;  // of the mover's lease
  std::string tag;
  std::mutex& cutover;   // locked while a range is held
  std::stop_token stop;  // the lease is lost, or the process ends
};

class MoveRun {
 public:
  // References outlive this object.
  MoveRun(const MoverOptions& options, CatalogStore& store, MoveRecord move, Tenure tenure);
  MoveRun(const MoveRun&) = delete;
  MoveRun& operator=(const MoveRun&) = delete;

  // OK: the move has ended, or rests as the operator wishes. An error: try again later, from the
  // phase that the catalog has then.
  absl::Status Run();

 private:
  // Done: go on with the phase that was entered.
  absl::Status Step();
  absl::Status Queued();
  absl::Status Announced();
  absl::Status Copying();
  absl::Status Following();
  absl::Status Switched();
  absl::Status Reversible();
  absl::Status Cleaning();
  absl::Status Cancelling();

  // Gives up for good: what was done is undone, and the move ends as failed.
  absl::Status Fail(const absl::Status& why);
  // Where the next slice ends; nullopt: all that is left of the range moves at once.
  absl::StatusOr<std::optional<KeyBound>> NextSlice(uint64_t bytes);
  absl::Status EndSlice();
  // For people: what stays moved of a move that is not done; empty: nothing.
  std::string WhatHasMoved() const;
  // What the way back needs is made, before the target's rows can change.
  absl::Status PrepareWayBack();
  // And what either way has made is dropped.
  absl::Status DropStreams();
  absl::Status DropFences();

  // --- move_cutover.cc
  absl::Status BeginToFollow();
  absl::Status FollowAndSwitch();
  absl::Status TrySwitch();
  absl::Status UndoSwitch();

  // --- move_waits.cc
  absl::Status AwaitProxies(Epoch epoch);
  absl::Status AwaitReplicas();
  absl::Status AwaitDrained(Epoch epoch, std::chrono::steady_clock::time_point deadline);

  // The slice of the move's way.
  absl::Status ConnectShards();
  absl::Status ConnectSlice(bool back, std::optional<Slice>& slice,
                            Slice::Ends ends = Slice::Ends::kBoth);
  // Whether the operator wishes something else: kPaused or kCancelled as SQLSTATE then.
  absl::Status CheckWish();
  // The same, at most every half second; tells how far the move is.
  absl::Status Pulse();
  absl::Status TellLag();
  absl::StatusOr<std::vector<Pressure>> Latencies();
  absl::Status NoteProgress();
  absl::Status OnRows(const CopiedRows& piece);
  void CountChanges();
  absl::Status RetryLocks(const char* what, Slice& slice,
                          absl::FunctionRef<absl::Status()> attempt);
  // `what` it waits for, and who that is, where the shard tells.
  absl::Status NoteWaitFor(const char* what, const absl::StatusOr<std::string>& who);
  bool stopped() const { return stop_.stop_requested(); }

  const MoverOptions& options_;
  CatalogStore& store_;
  MoveJournal journal_;
  const Tenure tenure_;
  const uint64_t term_ = tenure_.term;
  const std::stop_token stop_ = tenure_.stop;
  std::optional<Slice> slice_;  // of the way that the move goes
  std::optional<Slice> back_;   // of the other one
  bool copying_ = false;
  bool following_ = false;
  bool verified_ = false;
  Throttle throttle_;
  MoveProgress progress_;
  LatencySeen latency_seen_;
  std::chrono::steady_clock::time_point pulse_{};
  uint64_t pulse_bytes_ = 0;
  uint64_t changes_counted_ = 0;  // of the slice's
  struct Gauges {
    explicit Gauges(ProcessMetrics& metrics)
        : lag_bytes(metrics.move_lag_bytes),
          lag_us(metrics.move_lag_us),
          log_kept_bytes(metrics.move_log_kept_bytes),
          throttled(metrics.moves_throttled) {}
    GaugeShare lag_bytes;
    GaugeShare lag_us;
    GaugeShare log_kept_bytes;
    GaugeShare throttled;
  } gauges_;
};

}  // namespace meridian
