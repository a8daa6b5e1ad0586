#include "sharding/catalog/histogram_array.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

TEST(HistogramArray, GoesThereAndBack) {
  HistogramTotals totals;
  EXPECT_EQ(FormatHistogram(totals), "{}");
  totals.Record(2);
  totals.Record(2);
  totals.Record(4);
  EXPECT_EQ(FormatHistogram(totals), "{0,2,0,1}");
  totals.Record(UINT64_MAX);
  const auto read = ParseHistogram(FormatHistogram(totals));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->buckets, totals.buckets);
  EXPECT_EQ(read->count, 4u);
}

TEST(HistogramArray, RefusesWhatIsNone) {
  std::string long_one = "{0";
  for (size_t i = 0; i < HistogramBuckets::kCount; ++i) long_one += ",0";
  for (const std::string& text : {std::string(""), std::string("{x}"), std::string("{-1}"),
                                  std::string("{1.5}"), std::string("{NULL}"), long_one + "}"}) {
    EXPECT_FALSE(ParseHistogram(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace meridian
