#include "rebalance/throttle.h"

#include <algorithm>
#include <cmath>

namespace meridian {
namespace {

// What presses a little slows it down a little.
constexpr double kDecreaseMost = 0.5;
constexpr double kDecreaseLeast = 0.9;
constexpr double kSlack = 4;  // a limit so many times what is sent holds nothing back
constexpr double kBeginningPerSecond = 1.33;
constexpr double kIncreasePerSecond = 0.1;  // of itself

}  // namespace

std::optional<uint64_t> Throttle::rate() const {
  std::optional<uint64_t> rate;
  if (max_rate_ != 0) rate = max_rate_;
  if (adaptive_) {
    const auto adaptive = std::max(kRateMin, static_cast<uint64_t>(*adaptive_));
    rate = rate ? std::min(*rate, adaptive) : adaptive;
  }
  return rate;
}

void Throttle::BeginSlowly() {
  adaptive_ = kRateFirst;
  beginning_ = true;
  reason_ = kBeginning;
}

uint64_t Throttle::Take(size_t bytes, uint64_t now_us) {
  counted_bytes_ += bytes;
  const auto limit = rate();
  if (!limit) return 0;
  const uint64_t earliest = now_us > kBurstUs ? now_us - kBurstUs : 0;
  free_at_us_ = std::max(free_at_us_, earliest) + bytes * 1'000'000 / *limit;
  return free_at_us_ > now_us ? free_at_us_ - now_us : 0;
}

void Throttle::Adapt(const std::vector<Pressure>& pressures, uint64_t now_us) {
  const double seconds =
      counted_from_us_ == 0 ? 0 : static_cast<double>(now_us - counted_from_us_) / 1e6;
  const double measured = seconds > 0 ? static_cast<double>(counted_bytes_) / seconds : 0;
  counted_from_us_ = now_us;
  counted_bytes_ = 0;
  const auto strength = [](const Pressure& pressure) {
    return pressure.now / std::max(pressure.limit, 1e-9);
  };
  const auto pressing =
      std::max_element(pressures.begin(), pressures.end(),
                       [&](const auto& a, const auto& b) { return strength(a) < strength(b); });
  if (pressing != pressures.end() && strength(*pressing) > 1) {
    const double decrease = std::clamp(1 / strength(*pressing), kDecreaseMost, kDecreaseLeast);
    const double from = adaptive_ ? std::min(*adaptive_, std::max(measured, 1.0)) : measured;
    adaptive_ = std::max(static_cast<double>(kRateMin), from * decrease);
    reason_ = pressing->what;
    beginning_ = false;
    return;
  }
  if (seconds == 0) return;  // nothing was measured
  if (adaptive_) {
    if (beginning_) {
      *adaptive_ *= std::pow(kBeginningPerSecond, std::clamp(seconds, 0.0, 1.0));
    } else {
      *adaptive_ += std::max(static_cast<double>(kRateMin), *adaptive_ * kIncreasePerSecond) *
                    std::clamp(seconds, 0.0, 10.0);
    }
    const bool holds_back = *adaptive_ < measured * kSlack;
    if (!holds_back || (max_rate_ != 0 && *adaptive_ >= static_cast<double>(max_rate_))) {
      adaptive_.reset();
    }
  }
  if (!adaptive_) reason_ = max_rate_ != 0 ? kMaxRate : "";
}

}  // namespace meridian
