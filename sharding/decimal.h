// PostgreSQL's numeric as a key: canonical decimal numbers, read, printed and compared.
//
// Pure; any thread. Source: PostgreSQL, src/backend/utils/adt/numeric.c.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace meridian {

// A decimal number in canonical form: value = sign * 0.d1d2d3... * 10^exponent, no leading or
// trailing zero digits; zero has no digits, sign or exponent. NaN sorts above infinity, as in
// PostgreSQL.
struct Decimal {
  enum class Kind : uint8_t { kNegativeInfinity, kFinite, kPositiveInfinity, kNaN };
  Kind kind = Kind::kFinite;
  bool negative = false;
  int32_t exponent = 0;
  std::string digits;  // '0'..'9'

  friend bool operator==(const Decimal&, const Decimal&) = default;
};

// <0, 0, >0 in PostgreSQL's order of numeric.
int Compare(const Decimal& a, const Decimal& b);

// The functions below do what ParseKeyText, ParseKeyBinary and FormatKey (key_value.h) promise.
absl::StatusOr<Decimal> ParseDecimalText(std::string_view text);
absl::StatusOr<Decimal> ParseDecimalBinary(std::string_view bytes);
// Without exponent, and without trailing zeros behind the point (a key has no display scale).
std::string FormatDecimal(const Decimal& decimal);

}  // namespace meridian
