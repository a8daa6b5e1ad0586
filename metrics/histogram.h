// Counters, gauges and histograms that exactly one thread writes, unless by AddShared, and any
// thread reads.
//
// A write is a relaxed load and a relaxed store of the writer's own cache line, no locked
// instruction: two writers would lose counts. A reader sees each cell whole, but cells among each
// other may be some events apart.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace meridian {

// Only grows.
class Counter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // Where several threads write.
  void AddShared(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Goes up and down.
class Gauge {
 public:
  void Add(int64_t n = 1) { Set(Get() + n); }
  void Sub(int64_t n = 1) { Set(Get() - n); }
  // Where several threads write.
  void AddShared(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  int64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Log-linear buckets of microseconds: four per power of two, so that a quantile is off by at most
// a quarter. Bucket i holds (UpperBound(i - 1), UpperBound(i)]; the last holds everything above.
struct HistogramBuckets {
  static constexpr int kSubBits = 2;
  static constexpr size_t kSub = size_t{1} << kSubBits;
  static constexpr int kBits = 27;  // the last finite bound: 2^27 us = 134 s
  static constexpr size_t kCount = (kBits - kSubBits + 1) * kSub + 1;

  static constexpr size_t Index(uint64_t microseconds) {
    const uint64_t v = microseconds == 0 ? 0 : microseconds - 1;  // bounds are inclusive
    if (v < kSub) return v;
    const int magnitude = std::bit_width(v) - 1 - kSubBits;
    const size_t index = magnitude * kSub + (v >> magnitude);
    return index < kCount - 1 ? index : kCount - 1;
  }
  // In microseconds, inclusive. Precondition: index < kCount - 1.
  static constexpr uint64_t UpperBound(size_t index) {
    if (index < kSub) return index + 1;
    const size_t magnitude = index / kSub - 1;
    return (index % kSub + kSub + 1) << magnitude;
  }
};

// Any number of histograms added up, as plain numbers of the reader.
struct HistogramTotals {
  std::array<uint64_t, HistogramBuckets::kCount> buckets{};
  uint64_t count = 0;
  uint64_t sum_us = 0;

  // The upper bound in microseconds of the bucket that holds quantile q (0 to 1); 0 when empty.
  uint64_t Quantile(double q) const;

  void Record(uint64_t microseconds) {
    ++buckets[HistogramBuckets::Index(microseconds)];
    ++count;
    sum_us += microseconds;
  }
  void Add(const HistogramTotals& other) {
    for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
    count += other.count;
    sum_us += other.sum_us;
  }
};

class Histogram {
 public:
  void Record(uint64_t microseconds) {
    buckets_[HistogramBuckets::Index(microseconds)].Add();
    sum_us_.Add(microseconds);
  }
  void AddTo(HistogramTotals& totals) const;
  uint64_t SumMicroseconds() const { return sum_us_.Get(); }

 private:
  std::array<Counter, HistogramBuckets::kCount> buckets_;
  Counter sum_us_;
};

}  // namespace meridian
