// How fast a move may go: a token bucket in bytes per second, under a limit that gives way at once
// to what the move must not hurt and comes back slowly (additive increase, multiplicative
// decrease).
//
// Pure: the caller gives the time and what it has measured. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace meridian {

// One of the things that a move must not hurt: replica lag, retained WAL, the latency of clients.
struct Pressure {
  std::string what;  // "replica lag", for SHOW MOVES
  double now = 0;    // in any unit
  double limit = 0;  // in the same; above it the move slows down
};

class Throttle {
 public:
  // Bytes per second; `max_rate` 0: none but the adaptive limit. The move is never slower than
  // kRateMin, except by the operator's PAUSE, which is none of this class's business.
  static constexpr uint64_t kRateMin = 64 * 1024;
  explicit Throttle(uint64_t max_rate)
      : max_rate_(max_rate), reason_(max_rate == 0 ? "" : kMaxRate) {}
  void set_max_rate(uint64_t max_rate) { max_rate_ = max_rate; }

  // There is somebody whom the move could hurt: it begins slowly, and goes up by a third each
  // second (more would be much too much before it is noticed), until something presses or nothing
  // holds it back.
  static constexpr uint64_t kRateFirst = 1 << 20;
  void BeginSlowly();

  // Takes the bytes, which are sent in any case, and gives how long to wait before the next:
  // microseconds.
  uint64_t Take(size_t bytes, uint64_t now_us);
  // Every second or so.
  void Adapt(const std::vector<Pressure>& pressures, uint64_t now_us);

  // The rate that holds; nullopt: none.
  std::optional<uint64_t> rate() const;
  // Why it holds: kMaxRate, kBeginning, or what presses; empty: no limit holds.
  static constexpr char kMaxRate[] = "max_rate";
  static constexpr char kBeginning[] = "slow start";
  const std::string& reason() const { return reason_; }

 private:
  // What may come at once after a pause.
  static constexpr uint64_t kBurstUs = 100'000;

  uint64_t max_rate_;
  std::optional<double> adaptive_;  // nullopt: nothing presses
  bool beginning_ = false;          // nothing has pressed since BeginSlowly
  std::string reason_;
  uint64_t free_at_us_ = 0;  // when all that was taken will have been sent at the rate
  uint64_t counted_from_us_ = 0;
  uint64_t counted_bytes_ = 0;  // since then: what the move does without a limit
};

}  // namespace meridian
