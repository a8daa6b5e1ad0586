// PostgreSQL's date and timestamp as keys: ISO 8601 as PostgreSQL prints it, and the numbers
// behind.
//
// Pure; any thread. Dates are days, timestamps microseconds since 2000-01-01 00:00 (UTC for
// timestamptz), proleptic Gregorian. Everything that depends on DateStyle, TimeZone or the clock
// ("1/2/03", "now", a timestamptz without offset) is kUnimplemented. Source: PostgreSQL,
// src/backend/utils/adt/{datetime,date,timestamp}.c.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace meridian {

// 'infinity' and '-infinity' (DATEVAL_NOEND, DT_NOEND and their opposites).
inline constexpr int64_t kDateInfinity = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kDateMinusInfinity = std::numeric_limits<int32_t>::min();
inline constexpr int64_t kTimestampInfinity = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kTimestampMinusInfinity = std::numeric_limits<int64_t>::min();

// Within PostgreSQL's range, infinities included.
bool IsDate(int64_t days);
bool IsTimestamp(int64_t microseconds);

enum class TimeZoneRule : uint8_t {
  kIgnoreOffset,  // timestamp: an offset is checked, then ignored
  kNeedOffset,    // timestamptz: without an offset only the server knows
};

// YYYY-MM-DD [BC], DD Month YYYY, Month DD[,] YYYY, infinity. 22008 for days that do not exist.
absl::StatusOr<int64_t> ParseDate(std::string_view text);
// YYYY-MM-DD{ |T}HH:MM[:SS[.ffffff]][offset] [BC], infinity; without offset also what ParseDate
// reads.
absl::StatusOr<int64_t> ParseTimestamp(std::string_view text, TimeZoneRule rule);

// Precondition: IsDate, IsTimestamp.
std::string FormatDate(int64_t days);
// `offset` ("" or "+00") goes between the time and "BC".
std::string FormatTimestamp(int64_t microseconds, std::string_view offset);

}  // namespace meridian
