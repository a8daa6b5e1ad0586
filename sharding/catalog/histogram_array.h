// A histogram as an array of the catalog: how many are in each bucket (metrics/histogram.h); what
// is left out at the end is 0. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "metrics/histogram.h"

namespace meridian {

// "{0,3,1}"
std::string FormatHistogram(const HistogramTotals& totals);
// nullopt: it is none. The sum of what was measured is not known.
std::optional<HistogramTotals> ParseHistogram(std::string_view text);

}  // namespace meridian
