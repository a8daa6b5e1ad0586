#include "sharding/catalog/histogram_array.h"

#include <charconv>

#include "sharding/catalog/text_array.h"

namespace meridian {

std::string FormatHistogram(const HistogramTotals& totals) {
  size_t used = totals.buckets.size();
  while (used > 0 && totals.buckets[used - 1] == 0) --used;
  std::string text = "{";
  for (size_t i = 0; i < used; ++i) text += (i > 0 ? "," : "") + std::to_string(totals.buckets[i]);
  return text + "}";
}

std::optional<HistogramTotals> ParseHistogram(std::string_view text) {
  const auto counts = ParseTextArray(text);
  HistogramTotals totals;
  if (!counts || counts->size() > totals.buckets.size()) return std::nullopt;
  for (size_t i = 0; i < counts->size(); ++i) {
    const std::string& count = (*counts)[i];
    const auto read = std::from_chars(count.data(), count.data() + count.size(), totals.buckets[i]);
    if (read.ec != std::errc() || read.ptr != count.data() + count.size()) return std::nullopt;
    totals.count += totals.buckets[i];
  }
  return totals;
}

}  // namespace meridian
