// The mover: does the moves that the catalog has, one after the other, if this proxy is the one
// that works on them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
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
  // When a move that has failed is tried again.
  struct Retry {
    Clock::time_point at{};
    std::chrono::milliseconds backoff{0};
    std::string error;
  };

  void Run(const std::stop_token& stop);
  absl::Status Round(CatalogStore& store);
  void RunMove(CatalogStore& store, const MoveRecord& move);

  const MoverOptions options_;
  MoverLease lease_;                 // of the thread, after Start
  std::map<uint64_t, Retry> retry_;  // of the thread, by move
  std::mutex mu_;
  std::condition_variable_any wake_;
  uint64_t looks_wanted_ = 0;  // guarded by mu_
  std::stop_source stop_;      // of what a move waits for
  std::jthread thread_;
};

}  // namespace meridian
