// The mover: does the moves that the catalog has, if this proxy is the one that works on them. Of a
// shard, one at a time; each has a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "rebalance/move_run.h"
#include "rebalance/mover_lease.h"

namespace meridian {

// Thread-safe.
class Mover {
 public:
  explicit Mover(MoverOptions options);
  ~Mover();  // Stop()
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;

  void Start();
  // A move is left where it is, for others. Any number of times.
  void Stop();
  // There may be something to do.
  void LookNow();

 private:
  using Clock = std::chrono::steady_clock;
  // A move under way, on a thread of its own.
  struct Running {
    absl::Status result;  // once it has ended
    std::atomic<bool> ended{false};
    std::stop_source stop;
    std::jthread thread;
  };
  // When a move that has failed is tried again.
  struct Retry {
    Clock::time_point at{};
    std::chrono::milliseconds backoff{0};
    std::string error;
  };

  void Run(const std::stop_token& stop);
  absl::Status Round(CatalogStore& store);
  void Begin(const MoveRecord& move);
  // Takes leave of the runs that have ended.
  void Reap();
  void EndRuns();

  const MoverOptions options_;
  MoverLease lease_;                                      // of the thread, after Start
  std::map<uint64_t, Retry> retry_;                       // of the thread, by move
  std::map<uint64_t, std::unique_ptr<Running>> running_;  // the same
  std::mutex cutover_;  // one range is held at a time, so that no two wait for each other
  std::mutex mu_;
  std::condition_variable_any wake_;
  uint64_t looks_wanted_ = 0;  // guarded by mu_
  std::stop_source stop_;      // of what a move waits for
  std::jthread thread_;
};

}  // namespace meridian
