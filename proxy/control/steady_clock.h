// The clock of the control threads' measurements; the workers' (uv_hrtime) is the same.
#pragma once

#include <chrono>
#include <cstdint>

namespace meridian {

// Monotonic, in microseconds.
inline uint64_t SteadyUs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace meridian
