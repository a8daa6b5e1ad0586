// What one of several threads has in a gauge that is their sum; gone with it.
#pragma once

#include <cstdint>

#include "metrics/histogram.h"

namespace meridian {

class GaugeShare {
 public:
  // `gauge` outlives it.
  explicit GaugeShare(Gauge& gauge) : gauge_(gauge) {}
  ~GaugeShare() { Set(0); }
  GaugeShare(const GaugeShare&) = delete;
  GaugeShare& operator=(const GaugeShare&) = delete;

  void Set(int64_t value) {
    gauge_.AddShared(value - value_);
    value_ = value;
  }

 private:
  Gauge& gauge_;
  int64_t value_ = 0;
};

}  // namespace meridian
