// The proleptic Gregorian calendar: dates as days from 2000-01-01.
#pragma once

#include <cstdint>

namespace meridian {

// A year is astronomical: 1 BC is 0.
struct CivilDate {
  int64_t year;
  int month;
  int day;
};

// Precondition: month is 1..12.
int DaysOfMonth(int64_t year, int month);
// Precondition: the date exists.
int64_t DaysFromCivil(const CivilDate& date);
CivilDate CivilFromDays(int64_t days);

// Rounded down. Precondition: b > 0.
constexpr int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace meridian
