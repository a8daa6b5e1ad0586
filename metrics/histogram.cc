#include "metrics/histogram.h"

#include <cmath>

namespace meridian {

void Histogram::AddTo(HistogramTotals& totals) const {
  for (size_t i = 0; i < buckets_.size(); ++i) {
    const uint64_t n = buckets_[i].Get();
    totals.buckets[i] += n;
    totals.count += n;
  }
  totals.sum_us += sum_us_.Get();
}

uint64_t HistogramTotals::Quantile(double q) const {
  if (count == 0) return 0;
  const auto rank = static_cast<uint64_t>(std::ceil(q * static_cast<double>(count)));
  uint64_t seen = 0;
  for (size_t i = 0; i + 1 < buckets.size(); ++i) {
    seen += buckets[i];
    if (seen >= rank && seen > 0) return HistogramBuckets::UpperBound(i);
  }
  return HistogramBuckets::UpperBound(buckets.size() - 2);
}

}  // namespace meridian
