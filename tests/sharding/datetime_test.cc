#include "sharding/datetime.h"

#include <gtest/gtest.h>

#include "sharding/key_value.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

std::string Read(KeyType type, std::string_view text) {
  const absl::StatusOr<KeyValue> value = ParseKeyText(type, text);
  if (value.ok()) return FormatKey(type, *value);
  if (value.status().code() == absl::StatusCode::kUnimplemented) return "unknown";
  return ToSqlError(value.status()).sqlstate;
}

TEST(Datetime, DatesAreDaysSince2000) {
  EXPECT_EQ(*ParseDate("2000-01-01"), 0);
  EXPECT_EQ(*ParseDate("1999-12-31"), -1);
  EXPECT_EQ(*ParseDate("1970-01-01"), -10957);
  EXPECT_EQ(*ParseDate("4714-11-24 BC"), -2451545);
  EXPECT_EQ(*ParseDate("5874897-12-31"), 2145031948);
  EXPECT_EQ(*ParseDate("infinity"), kDateInfinity);
  EXPECT_EQ(*ParseDate("-Infinity"), kDateMinusInfinity);
}

TEST(Datetime, EveryDayOfEveryKindOfYearRoundTrips) {
  for (const char* start : {"4714-11-24 BC", "0005-01-01 BC", "0001-01-01 BC", "1896-01-01",
                            "1996-01-01", "2096-01-01", "294272-01-01", "5874890-01-01"}) {
    const int64_t first = *ParseDate(start);
    for (int64_t days = first; days < first + 9 * 366 && IsDate(days); ++days) {
      ASSERT_EQ(*ParseDate(FormatDate(days)), days) << FormatDate(days);
    }
  }
}

TEST(Datetime, TimestampsAreMicroseconds) {
  const auto timestamp = [](std::string_view text) {
    return *ParseTimestamp(text, TimeZoneRule::kIgnoreOffset);
  };
  EXPECT_EQ(timestamp("2000-01-01 00:00:00"), 0);
  EXPECT_EQ(timestamp("1999-12-31 23:59:59.999999"), -1);
  EXPECT_EQ(timestamp("2000-01-02T00:00:00.5"), 86'400'500'000);
  EXPECT_EQ(timestamp("2000-01-02"), 86'400'000'000);
  EXPECT_EQ(timestamp("2000-01-01 01:00+05"), 3'600'000'000);
}

TEST(Datetime, OffsetsAreEastOfUtc) {
  EXPECT_EQ(Read(KeyType::kTimestamptz, "2024-02-29 23:30:00-01"), "2024-03-01 00:30:00+00");
  EXPECT_EQ(Read(KeyType::kTimestamptz, "2024-02-29 12:00:00.1200+05:30"),
            "2024-02-29 06:30:00.12+00");
  EXPECT_EQ(Read(KeyType::kTimestamptz, "0001-01-01 00:00:00+0100"), "0001-12-31 23:00:00+00 BC");
  EXPECT_EQ(Read(KeyType::kTimestamptz, "2024-02-29T12:00:00Z"), "2024-02-29 12:00:00+00");
}

TEST(Datetime, DaysThatDoNotExist) {
  for (const char* text : {"2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "2024-00-10",
                           "2024-01-00", "2024-01-32", "0000-01-01", "0000-01-01 BC",
                           "0004-02-29 BC", "4714-11-23 BC", "5874898-01-01"}) {
    EXPECT_EQ(Read(KeyType::kDate, text), "22008") << text;
  }
  for (const char* text : {"2024-01-01 25:00:00", "2024-01-01 10:60:00", "2024-01-01 10:00:61",
                           "294277-01-01 00:00:00", "4714-11-23 23:59:59 BC", "9999999-01-01",
                           "9999999-12-31 23:59:59 BC"}) {
    EXPECT_EQ(Read(KeyType::kTimestamp, text), "22008") << text;
  }
  EXPECT_EQ(Read(KeyType::kTimestamptz, "294276-12-31 23:30:00-01"), "22008");
}

TEST(Datetime, AMonthsNameTellsDayFromYear) {
  for (const char* text :
       {"29 Feb 2024", "29-feb-2024", "FEBRUARY 29 2024", "Feb 29, 2024", "february-29-2024"}) {
    EXPECT_EQ(Read(KeyType::kDate, text), "2024-02-29") << text;
  }
  EXPECT_EQ(Read(KeyType::kDate, "1 May 0099"), "0099-05-01");
  EXPECT_EQ(Read(KeyType::kTimestamp, "1 May 2024"), "2024-05-01 00:00:00");
  EXPECT_EQ(Read(KeyType::kTimestamptz, "1 May 2024"), "unknown");
  EXPECT_EQ(Read(KeyType::kDate, "30 Feb 2024"), "22008");
}

TEST(Datetime, WhatOnlyTheServerKnows) {
  for (const char* text : {"",
                           "now",
                           "today",
                           "epoch",
                           "yesterday",
                           "1/2/2003",
                           "01-02-03",
                           "99-01-01",
                           "20240229",
                           "2024-2-29",
                           "29 Feb 24",
                           "Feb 2024 29",
                           "2024 Feb 29",
                           "Febr 29 2024",
                           "29-Feb 2024",
                           "Feb-29,-2024",
                           "29 Feb 2024 BC",
                           "29 Feb 0000",
                           "29 Feb  2024",
                           "2024-02-29 10:00",
                           "2024.060",
                           "J2451187",
                           "2024-02-29BC",
                           "2024-02-29 AD",
                           "-2024-02-29",
                           "12345678-01-01"}) {
    EXPECT_EQ(Read(KeyType::kDate, text), "unknown") << text;
  }
  for (const char* text :
       {"2024-02-29 24:00:00", "2024-02-29 10:00:60", "2024-02-29 10:00:00.1234567",
        "2024-02-29 10:00:00 UTC", "2024-02-29 10:00:00 Europe/Paris", "2024-02-29 10:00:00+5",
        "2024-02-29 10:00:00+16", "2024-02-29 10:00:00+05:60", "2024-02-29 10:00 PM",
        "2024-02-29 10", "2024-02-29  10:00", "2024-02-29 10:00:00.", "now"}) {
    EXPECT_EQ(Read(KeyType::kTimestamp, text), "unknown") << text;
  }
  EXPECT_EQ(Read(KeyType::kTimestamptz, "2024-02-29 10:00:00"), "unknown");
  EXPECT_EQ(Read(KeyType::kTimestamptz, "2024-02-29"), "unknown");
}

}  // namespace
}  // namespace meridian
