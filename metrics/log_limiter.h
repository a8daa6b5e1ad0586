// Limits how many lines a call site may log in a second, so that a flood neither fills the disk nor
// hides the rest. Thread-safe without locks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <source_location>
#include <string_view>

namespace meridian {

class LogLimiter {
 public:
  struct Verdict {
    bool write = false;
    uint32_t left_out = 0;  // lines of this call site that were left out before this one
  };

  explicit LogLimiter(uint32_t lines_per_second) : lines_per_second_(lines_per_second) {}

  // `now_s`: any clock in whole seconds. Counts may be off by a few when threads race.
  Verdict Ask(const std::source_location& where, int64_t now_s) {
    Site& site = SiteOf(where);
    if (site.second.exchange(now_s, std::memory_order_relaxed) != now_s) {
      site.lines.store(0, std::memory_order_relaxed);
    }
    if (site.lines.fetch_add(1, std::memory_order_relaxed) >= lines_per_second_) {
      site.left_out.fetch_add(1, std::memory_order_relaxed);
      return {};
    }
    return {.write = true, .left_out = site.left_out.exchange(0, std::memory_order_relaxed)};
  }

 private:
  // More than the call sites that there are; two that meet in one place share a budget.
  static constexpr size_t kSites = 4096;
  struct Site {
    std::atomic<int64_t> second{0};
    std::atomic<uint32_t> lines{0};
    std::atomic<uint32_t> left_out{0};
  };

  Site& SiteOf(const std::source_location& where) {
    const size_t hash = std::hash<std::string_view>{}(where.file_name()) +
                        where.line() * size_t{0x9E3779B97F4A7C15};
    return sites_[(hash >> 16) % kSites];
  }

  const uint32_t lines_per_second_;
  std::array<Site, kSites> sites_;
};

}  // namespace meridian
