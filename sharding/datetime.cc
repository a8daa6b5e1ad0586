#include "sharding/datetime.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>

#include "sharding/ascii.h"
#include "sharding/calendar.h"
#include "sharding/key_error.h"

namespace meridian {
namespace {

constexpr int64_t kMicrosecondsPerSecond = 1'000'000;
constexpr int64_t kMicrosecondsPerDay = 86'400 * kMicrosecondsPerSecond;
// 4714-11-24 BC; the ends of 5874897 and of 294276 (PostgreSQL: datatype/timestamp.h).
constexpr int64_t kFirstDay = -2'451'545;
constexpr int64_t kEndOfDates = 2'147'483'494 + kFirstDay;
constexpr int64_t kEndOfTimestamps = 9'223'371'331'200'000'000;

// Takes fixed fields off the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool Take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // A number of `min` to `max` digits that no further digit follows.
  std::optional<int64_t> TakeNumber(size_t min, size_t max) {
    const size_t digits = LeadingDigits(rest_);
    if (digits < min || digits > max) return std::nullopt;
    int64_t number = 0;
    for (const char c : rest_.substr(0, digits)) number = number * 10 + (c - '0');
    rest_.remove_prefix(digits);
    return number;
  }
  size_t size() const { return rest_.size(); }
  // ASCII letters; empty where there are none.
  std::string_view TakeWord() {
    size_t letters = 0;
    while (letters < rest_.size() && AsciiLower(rest_[letters]) >= 'a' &&
           AsciiLower(rest_[letters]) <= 'z') {
      ++letters;
    }
    const std::string_view word = rest_.substr(0, letters);
    rest_.remove_prefix(letters);
    return word;
  }

 private:
  std::string_view rest_;
};

// What a text says, before it is checked against the calendar.
struct Fields {
  int64_t year = 0;
  int64_t month = 0, day = 0;
  int64_t hour = 0, minute = 0, second = 0;
  int64_t microsecond = 0;
  std::optional<int64_t> offset_seconds;  // east of UTC
  bool has_time = false;
};

// YYYY-MM-DD. Fewer digits of the year are a year, month or day by DateStyle.
bool TakeDate(Cursor& cursor, Fields& fields) {
  const auto year = cursor.TakeNumber(4, 7);
  if (!year || !cursor.Take('-')) return false;
  const auto month = cursor.TakeNumber(2, 2);
  if (!month || !cursor.Take('-')) return false;
  const auto day = cursor.TakeNumber(2, 2);
  if (!day) return false;
  fields.year = *year;
  fields.month = *month;
  fields.day = *day;
  return true;
}

// A month's English name or its first three letters, which PostgreSQL reads in any locale.
std::optional<int64_t> MonthOf(std::string_view word) {
  constexpr std::string_view kMonths[] = {"january",   "february", "march",    "april",
                                          "may",       "june",     "july",     "august",
                                          "september", "october",  "november", "december"};
  for (size_t i = 0; i < std::size(kMonths); ++i) {
    if (EqualsIgnoreCase(word, kMonths[i]) || EqualsIgnoreCase(word, kMonths[i].substr(0, 3))) {
      return static_cast<int64_t>(i + 1);
    }
  }
  return std::nullopt;
}

// DD Month YYYY and Month DD[,] YYYY, with blanks or '-': with four digits of the year these mean
// the same under every DateStyle (PostgreSQL: DecodeNumber in datetime.c).
bool TakeNamedDate(Cursor& cursor, char separator, Fields& fields) {
  std::optional<int64_t> day = cursor.TakeNumber(1, 2);
  if (day.has_value() && !cursor.Take(separator)) return false;
  const std::optional<int64_t> month = MonthOf(cursor.TakeWord());
  if (!month.has_value() || !cursor.Take(separator)) return false;
  if (!day.has_value()) {
    day = cursor.TakeNumber(1, 2);
    if (!day.has_value()) return false;
    if (separator == ' ') cursor.Take(',');
    if (!cursor.Take(separator)) return false;
  }
  const std::optional<int64_t> year = cursor.TakeNumber(4, 4);
  if (!year.has_value() || *year == 0 || !cursor.done()) return false;
  fields.year = *year;
  fields.month = *month;
  fields.day = *day;
  return true;
}

// HH:MM[:SS[.ffffff]]
bool TakeTime(Cursor& cursor, Fields& fields) {
  const auto hour = cursor.TakeNumber(2, 2);
  if (!hour || !cursor.Take(':')) return false;
  const auto minute = cursor.TakeNumber(2, 2);
  if (!minute) return false;
  fields.hour = *hour;
  fields.minute = *minute;
  fields.has_time = true;
  if (!cursor.Take(':')) return true;
  const auto second = cursor.TakeNumber(2, 2);
  if (!second) return false;
  fields.second = *second;
  if (!cursor.Take('.')) return true;
  const size_t before = cursor.size();
  const auto fraction = cursor.TakeNumber(1, 6);  // more digits: PostgreSQL rounds by its strtod
  if (!fraction) return false;
  fields.microsecond = *fraction;
  for (size_t digits = before - cursor.size(); digits < 6; ++digits) fields.microsecond *= 10;
  return true;
}

// Z, +HH, +HHMM, +HH:MM, +HH:MM:SS, or nothing.
bool TakeOffset(Cursor& cursor, Fields& fields) {
  if (cursor.Take('Z')) {
    fields.offset_seconds = 0;
    return true;
  }
  const bool east = cursor.Take('+');
  if (!east && !cursor.Take('-')) return true;
  int64_t hours = 0;
  int64_t minutes = 0;
  int64_t seconds = 0;
  if (const auto packed = cursor.TakeNumber(4, 4)) {
    hours = *packed / 100;
    minutes = *packed % 100;
  } else {
    const auto hour = cursor.TakeNumber(2, 2);
    if (!hour) return false;
    hours = *hour;
    if (cursor.Take(':')) {
      const auto minute = cursor.TakeNumber(2, 2);
      if (!minute) return false;
      minutes = *minute;
      if (cursor.Take(':')) {
        const auto second = cursor.TakeNumber(2, 2);
        if (!second) return false;
        seconds = *second;
      }
    }
  }
  constexpr int64_t kOffsetHoursMax = 15;
  if (hours > kOffsetHoursMax || minutes > 59 || seconds > 59) return false;
  fields.offset_seconds = (hours * 3600 + minutes * 60 + seconds) * (east ? 1 : -1);
  return true;
}

// Takes " BC" off the end.
bool TakeBc(std::string_view& text) {
  if (text.size() < 3 || !EqualsIgnoreCase(text.substr(text.size() - 3), " bc")) return false;
  text.remove_suffix(3);
  return true;
}

// nullopt: not in a form that means the same everywhere.
std::optional<Fields> TakeFields(std::string_view text) {
  const bool bc = TakeBc(text);
  Fields fields;
  Cursor cursor(text);
  for (const char separator : {' ', '-'}) {
    if (Cursor named(text); !bc && TakeNamedDate(named, separator, fields)) return fields;
  }
  if (!TakeDate(cursor, fields)) return std::nullopt;
  if (cursor.Take(' ') || cursor.Take('T')) {
    if (!TakeTime(cursor, fields) || !TakeOffset(cursor, fields)) return std::nullopt;
  }
  if (!cursor.done()) return std::nullopt;
  // There is no year 0: it must not pass for 1 BC, nor 0 BC for 1 AD.
  if (fields.year == 0) fields.month = 0;
  if (bc) fields.year = 1 - fields.year;
  return fields;
}

// PostgreSQL's ValidateDate, and its checks of the time.
bool IsOnCalendar(const Fields& fields) {
  return fields.month >= 1 && fields.month <= 12 && fields.day >= 1 &&
         fields.day <= DaysOfMonth(fields.year, static_cast<int>(fields.month)) &&
         fields.hour <= 23 && fields.minute <= 59 && fields.second <= 59;
}

// 24:00:00 and second 60, which PostgreSQL reads as the next day or minute.
bool IsTimeOverflow(const Fields& fields) { return fields.hour == 24 || fields.second == 60; }

int64_t DaysOf(const Fields& fields) {
  return DaysFromCivil({.year = fields.year,
                        .month = static_cast<int>(fields.month),
                        .day = static_cast<int>(fields.day)});
}

std::string_view Infinity(bool negative) { return negative ? "-infinity" : "infinity"; }

// "2024-02-29"; the caller adds the " BC".
std::string FormatCivil(const CivilDate& date) {
  return fmt::format("{:04}-{:02}-{:02}", date.year > 0 ? date.year : 1 - date.year, date.month,
                     date.day);
}

}  // namespace

bool IsDate(int64_t days) {
  return (days >= kFirstDay && days < kEndOfDates) || days == kDateInfinity ||
         days == kDateMinusInfinity;
}

bool IsTimestamp(int64_t microseconds) {
  return (microseconds >= kFirstDay * kMicrosecondsPerDay && microseconds < kEndOfTimestamps) ||
         microseconds == kTimestampInfinity || microseconds == kTimestampMinusInfinity;
}

absl::StatusOr<int64_t> ParseDate(std::string_view text) {
  const std::string_view stripped = StripSpace(text);
  if (EqualsIgnoreCase(stripped, Infinity(false))) return kDateInfinity;
  if (EqualsIgnoreCase(stripped, Infinity(true))) return kDateMinusInfinity;
  const std::optional<Fields> fields = TakeFields(stripped);
  if (!fields || fields->has_time) return OnlyServerKnows("date");
  if (!IsOnCalendar(*fields)) return DatetimeFieldOverflow(text);
  const int64_t days = DaysOf(*fields);
  if (!IsDate(days)) return DatetimeOutOfRange("date");
  return days;
}

absl::StatusOr<int64_t> ParseTimestamp(std::string_view text, TimeZoneRule rule) {
  const std::string_view stripped = StripSpace(text);
  if (EqualsIgnoreCase(stripped, Infinity(false))) return kTimestampInfinity;
  if (EqualsIgnoreCase(stripped, Infinity(true))) return kTimestampMinusInfinity;
  const std::optional<Fields> fields = TakeFields(stripped);
  if (!fields || IsTimeOverflow(*fields)) return OnlyServerKnows("timestamp");
  const bool needs_offset = rule == TimeZoneRule::kNeedOffset;
  if (needs_offset && !fields->offset_seconds) return OnlyServerKnows("timestamptz");
  if (!IsOnCalendar(*fields)) return DatetimeFieldOverflow(text);

  const int64_t days = DaysOf(*fields);
  // A year of seven digits would overflow the sum; an offset moves by less than a day.
  if (days < kFirstDay - 1 || days > kEndOfTimestamps / kMicrosecondsPerDay) {
    return DatetimeOutOfRange("timestamp");
  }
  int64_t seconds = fields->hour * 3600 + fields->minute * 60 + fields->second;
  if (needs_offset) seconds -= *fields->offset_seconds;
  const int64_t value =
      days * kMicrosecondsPerDay + seconds * kMicrosecondsPerSecond + fields->microsecond;
  if (!IsTimestamp(value)) return DatetimeOutOfRange("timestamp");
  return value;
}

std::string FormatDate(int64_t days) {
  if (days == kDateInfinity || days == kDateMinusInfinity) return std::string(Infinity(days < 0));
  const CivilDate date = CivilFromDays(days);
  return FormatCivil(date) + (date.year > 0 ? "" : " BC");
}

std::string FormatTimestamp(int64_t microseconds, std::string_view offset) {
  if (microseconds == kTimestampInfinity || microseconds == kTimestampMinusInfinity) {
    return std::string(Infinity(microseconds < 0));
  }
  const int64_t days = FloorDiv(microseconds, kMicrosecondsPerDay);
  const int64_t time = microseconds - days * kMicrosecondsPerDay;
  const int64_t seconds = time / kMicrosecondsPerSecond;
  const CivilDate date = CivilFromDays(days);
  std::string text = fmt::format("{} {:02}:{:02}:{:02}", FormatCivil(date), seconds / 3600,
                                 seconds / 60 % 60, seconds % 60);
  if (const int64_t fraction = time % kMicrosecondsPerSecond; fraction != 0) {
    text += fmt::format(".{:06}", fraction);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return fmt::format("{}{}{}", text, offset, date.year > 0 ? "" : " BC");
}

}  // namespace meridian
