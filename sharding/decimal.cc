#include "sharding/decimal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <climits>

#include "sharding/ascii.h"
#include "sharding/key_error.h"

namespace meridian {
namespace {

constexpr std::string_view kType = "numeric";
// PostgreSQL's limits: NUMERIC_WEIGHT_MAX base-10000 digits before the point, NUMERIC_DSCALE_MAX
// decimal digits behind it.
constexpr int64_t kIntegerDigitsMax = 131072;
constexpr int64_t kScaleMax = 16383;

// Makes 0.digits * 10^exponent canonical.
Decimal Canonical(bool negative, int64_t exponent, std::string digits) {
  const size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return Decimal{};
  digits.erase(digits.find_last_not_of('0') + 1);
  digits.erase(0, first);
  return {.kind = Decimal::Kind::kFinite,
          .negative = negative,
          .exponent = static_cast<int32_t>(exponent - static_cast<int64_t>(first)),
          .digits = std::move(digits)};
}

// NaN and the infinities, by all the names that PostgreSQL reads.
bool ParseSpecial(std::string_view text, Decimal& decimal) {
  if (EqualsIgnoreCase(text, "nan")) {
    decimal.kind = Decimal::Kind::kNaN;
    return true;
  }
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (!EqualsIgnoreCase(text, "inf") && !EqualsIgnoreCase(text, "infinity")) return false;
  decimal.kind = negative ? Decimal::Kind::kNegativeInfinity : Decimal::Kind::kPositiveInfinity;
  return true;
}

// What PostgreSQL 15 refuses and 16 reads: 0x1F, 0o7, 0b1, 1_000; and "1e 5", the other way round.
bool DependsOnVersion(std::string_view text) {
  if (text.find('_') != std::string_view::npos) return true;
  const size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos && exponent + 1 < text.size() &&
      IsAsciiSpace(text[exponent + 1])) {
    return true;
  }
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return text.size() >= 2 && text[0] == '0' &&
         std::string_view("xob").find(AsciiLower(text[1])) != std::string_view::npos;
}

// The exponent that `text` starts with; takes it off. False where there is none. One that is too
// large for PostgreSQL comes back as INT_MAX.
bool TakeExponent(std::string_view& text, int64_t& exponent) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const size_t digits = LeadingDigits(text);
  if (digits == 0) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, exponent);
  if (error != std::errc() || exponent >= INT_MAX / 2) {
    exponent = INT_MAX;
  } else if (negative) {
    exponent = -exponent;
  }
  text.remove_prefix(digits);
  return true;
}

}  // namespace

int Compare(const Decimal& a, const Decimal& b) {
  if (a.kind != b.kind) return a.kind < b.kind ? -1 : 1;
  if (a.kind != Decimal::Kind::kFinite) return 0;
  const int sign_a = a.digits.empty() ? 0 : (a.negative ? -1 : 1);
  const int sign_b = b.digits.empty() ? 0 : (b.negative ? -1 : 1);
  if (sign_a != sign_b) return sign_a < sign_b ? -1 : 1;
  if (a.exponent != b.exponent) return (a.exponent < b.exponent ? -1 : 1) * sign_a;
  const int order = a.digits.compare(b.digits);
  return (order < 0 ? -1 : order > 0) * sign_a;
}

absl::StatusOr<Decimal> ParseDecimalText(std::string_view text) {
  std::string_view rest = StripSpace(text);
  Decimal special;
  if (ParseSpecial(rest, special)) return special;
  if (DependsOnVersion(rest)) return OnlyServerKnows(kType);

  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const std::string_view whole = rest.substr(0, LeadingDigits(rest));
  rest.remove_prefix(whole.size());
  std::string_view fraction;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = rest.substr(0, LeadingDigits(rest));
    rest.remove_prefix(fraction.size());
  }
  if (whole.empty() && fraction.empty()) return InvalidKeyText(kType, text);

  int64_t exponent = 0;
  if (!rest.empty() && AsciiLower(rest[0]) == 'e') {
    rest.remove_prefix(1);
    if (!TakeExponent(rest, exponent)) return InvalidKeyText(kType, text);
    if (exponent == INT_MAX) return NumericOverflow();
  }
  if (!rest.empty()) return InvalidKeyText(kType, text);

  Decimal decimal = Canonical(negative, static_cast<int64_t>(whole.size()) + exponent,
                              std::string(whole) + std::string(fraction));
  const int64_t scale = static_cast<int64_t>(fraction.size()) - exponent;
  if (scale > kScaleMax || decimal.exponent > kIntegerDigitsMax) return NumericOverflow();
  return decimal;
}

absl::StatusOr<Decimal> ParseDecimalBinary(std::string_view bytes) {
  const auto word = [bytes](size_t index) {
    return static_cast<uint16_t>(static_cast<uint8_t>(bytes[2 * index]) << 8 |
                                 static_cast<uint8_t>(bytes[2 * index + 1]));
  };
  constexpr size_t kHeaderWords = 4;  // digits, weight, sign, display scale
  if (bytes.size() < 2 * kHeaderWords) return InvalidKeyBinary(kType);
  const size_t count = word(0);
  const auto weight = static_cast<int16_t>(word(1));
  const uint16_t sign = word(2);
  const uint16_t scale = word(3);
  if (bytes.size() != 2 * (kHeaderWords + count) || scale > kScaleMax) {
    return InvalidKeyBinary(kType);
  }
  std::string digits;
  for (size_t i = 0; i < count; ++i) {
    const uint16_t digit = word(kHeaderWords + i);
    if (digit > 9999) return InvalidKeyBinary(kType);
    digits += fmt::format("{:04}", digit);
  }
  switch (sign) {
    case 0xC000:
      return Decimal{.kind = Decimal::Kind::kNaN, .digits = {}};
    case 0xD000:
      return Decimal{.kind = Decimal::Kind::kPositiveInfinity, .digits = {}};
    case 0xF000:
      return Decimal{.kind = Decimal::Kind::kNegativeInfinity, .digits = {}};
    case 0x0000:
    case 0x4000:
      break;
    default:
      return InvalidKeyBinary(kType);
  }
  // The server truncates the digits that the display scale hides.
  const int32_t exponent = (weight + 1) * 4;
  const int32_t shown = std::max(0, exponent + scale);
  if (digits.size() > static_cast<size_t>(shown)) digits.resize(shown);
  return Canonical(sign == 0x4000, exponent, std::move(digits));
}

std::string FormatDecimal(const Decimal& decimal) {
  switch (decimal.kind) {
    case Decimal::Kind::kNaN:
      return "NaN";
    case Decimal::Kind::kPositiveInfinity:
      return "Infinity";
    case Decimal::Kind::kNegativeInfinity:
      return "-Infinity";
    case Decimal::Kind::kFinite:
      break;
  }
  if (decimal.digits.empty()) return "0";
  const auto size = static_cast<int32_t>(decimal.digits.size());
  std::string text = decimal.negative ? "-" : "";
  if (decimal.exponent <= 0) {
    return text + "0." + std::string(-decimal.exponent, '0') + decimal.digits;
  }
  text += decimal.digits.substr(0, decimal.exponent);
  if (decimal.exponent >= size) return text + std::string(decimal.exponent - size, '0');
  return text + "." + decimal.digits.substr(decimal.exponent);
}

}  // namespace meridian
