// What the parts of MoveRun (move_run.cc, move_cutover.cc, move_waits.cc) have in common.
#pragma once

#include <absl/status/status.h>
#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "metrics/fault_points.h"
#include "rebalance/mover_lease.h"
#include "sharding/sql_status.h"

namespace meridian::move_run {

// How the steps say that the operator wishes something else.
inline constexpr std::string_view kPaused = "M0010";
inline constexpr std::string_view kCancelled = "M0011";

// How often a move tells how far it is, and asks what is wished.
inline constexpr std::chrono::milliseconds kPulse{500};

inline std::string StateOf(const absl::Status& status) { return ToSqlError(status).sqlstate; }

inline bool IsLockTimeout(const absl::Status& status) { return StateOf(status) == "55P03"; }

inline void Sleep(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, time, [] { return false; });
}

// Monotonic.
inline uint64_t NowUs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

// A fault point, which may have the step fail.
inline absl::Status PassPoint(std::string_view point) {
  if (!FaultPoint(point)) return absl::OkStatus();
  return SqlStatus("58000", fmt::format("the step fails at the fault point {}", point));
}

inline absl::Status Stopped() {
  return SqlStatus(kTermOver, "this proxy does not work on the moves any more");
}

}  // namespace meridian::move_run
