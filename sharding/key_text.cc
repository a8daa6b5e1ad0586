// Keys from text: the input functions of PostgreSQL 15. What later versions read differently is
// left to the server.
#include <charconv>
#include <limits>

#include "sharding/ascii.h"
#include "sharding/datetime.h"
#include "sharding/key_error.h"
#include "sharding/key_value.h"
#include "sharding/sql_status.h"
#include "sharding/utf8.h"

namespace meridian {
namespace {

constexpr size_t kUuidBytes = 16;

// How it would be converted, and whether a locale calls it a space, is the server's matter.
bool IsPlain(std::string_view text) {
  return IsAscii(text) && text.find('\0') == std::string_view::npos;
}

// PostgreSQL 16 reads 0x1F, 0o17, 0b1 and 1_000; 15 refuses them.
bool IsNewIntegerSyntax(std::string_view digits) {
  return digits.find('_') != std::string_view::npos ||
         (digits.size() >= 2 && digits[0] == '0' &&
          std::string_view("xob").find(AsciiLower(digits[1])) != std::string_view::npos);
}

// pg_strtoint16, pg_strtoint32, pg_strtoint64 (PostgreSQL: src/backend/utils/adt/numutils.c).
absl::StatusOr<KeyValue> ParseInteger(KeyType type, std::string_view text, int64_t min,
                                      int64_t max) {
  std::string_view digits = StripSpace(text);
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  const size_t count = LeadingDigits(digits);
  if (count != digits.size() && (!IsPlain(text) || IsNewIntegerSyntax(digits))) {
    return OnlyServerKnows(KeyTypeName(type));
  }
  if (count == 0) return InvalidKeyText(KeyTypeName(type), text);
  uint64_t magnitude = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + count, magnitude);
  const uint64_t limit = negative ? uint64_t{0} - static_cast<uint64_t>(min) : max;
  const bool too_large = parsed.ec != std::errc() || magnitude > limit;
  if (count != digits.size()) {
    // Of two errors, the one that the server gives depends on its version.
    if (too_large) return OnlyServerKnows(KeyTypeName(type));
    return InvalidKeyText(KeyTypeName(type), text);
  }
  if (too_large) return KeyOutOfRange(KeyTypeName(type), text);
  return static_cast<int64_t>(negative ? uint64_t{0} - magnitude : magnitude);
}

template <typename Int>
absl::StatusOr<KeyValue> ParseInteger(KeyType type, std::string_view text) {
  return ParseInteger(type, text, std::numeric_limits<Int>::min(), std::numeric_limits<Int>::max());
}

// uuid_in: braces, and a hyphen after any group of four digits.
absl::StatusOr<KeyValue> ParseUuid(std::string_view text) {
  std::string_view rest = text;
  const bool braces = rest.starts_with('{');
  if (braces) rest.remove_prefix(1);
  KeyValue value = std::string();
  std::string& bytes = std::get<std::string>(value);
  while (bytes.size() < kUuidBytes) {
    if (rest.size() < 2 || HexDigit(rest[0]) < 0 || HexDigit(rest[1]) < 0) {
      return InvalidKeyText("uuid", text);
    }
    bytes += static_cast<char>(HexDigit(rest[0]) << 4 | HexDigit(rest[1]));
    rest.remove_prefix(2);
    if (rest.starts_with('-') && bytes.size() % 2 == 0 && bytes.size() < kUuidBytes) {
      rest.remove_prefix(1);
    }
  }
  if (rest != (braces ? "}" : "")) return InvalidKeyText("uuid", text);
  return value;
}

// hex_decode: white space may stand between the bytes.
absl::StatusOr<KeyValue> ParseByteaHex(std::string_view hex) {
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); ++i) {
    if (std::string_view(" \n\t\r").find(hex[i]) != std::string_view::npos) continue;
    const int high = HexDigit(hex[i]);
    if (high < 0) return SqlStatus("22023", "invalid hexadecimal digit in bytea");
    if (++i == hex.size()) {
      return SqlStatus("22023", "invalid hexadecimal data: odd number of digits");
    }
    const int low = HexDigit(hex[i]);
    if (low < 0) return SqlStatus("22023", "invalid hexadecimal digit in bytea");
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

// byteain: \x and hexadecimal digits, or the old escapes \\ and \ooo.
absl::StatusOr<KeyValue> ParseBytea(std::string_view text) {
  if (text.starts_with("\\x")) return ParseByteaHex(text.substr(2));
  std::string bytes;
  while (!text.empty()) {
    if (text[0] != '\\') {
      bytes += text[0];
      text.remove_prefix(1);
    } else if (text.starts_with("\\\\")) {
      bytes += '\\';
      text.remove_prefix(2);
    } else {
      const auto octal = [text](size_t i, char max) {
        return i < text.size() && text[i] >= '0' && text[i] <= max;
      };
      if (!octal(1, '3') || !octal(2, '7') || !octal(3, '7')) {
        return SqlStatus("22P02", "invalid input syntax for type bytea");
      }
      bytes += static_cast<char>((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
      text.remove_prefix(4);
    }
  }
  return bytes;
}

// Precondition: IsPlain(text).
absl::StatusOr<KeyValue> ParsePlain(KeyType type, std::string_view text) {
  switch (type) {
    case KeyType::kUuid:
      return ParseUuid(text);
    case KeyType::kDate:
      return ParseDate(text);
    case KeyType::kTimestamp:
      return ParseTimestamp(text, TimeZoneRule::kIgnoreOffset);
    case KeyType::kTimestamptz:
      return ParseTimestamp(text, TimeZoneRule::kNeedOffset);
    case KeyType::kBytea:
      return ParseBytea(text);
    case KeyType::kNumeric:
      return ParseDecimalText(text);
    default:
      return OnlyServerKnows("value");
  }
}

}  // namespace

absl::StatusOr<KeyValue> ParseKeyText(KeyType type, std::string_view text) {
  switch (type) {
    case KeyType::kText:
      if (!IsValidText(text)) return OnlyServerKnows("text");
      return std::string(text);
    case KeyType::kSmallint:
      return ParseInteger<int16_t>(type, text);
    case KeyType::kInteger:
      return ParseInteger<int32_t>(type, text);
    case KeyType::kBigint:
      return ParseInteger<int64_t>(type, text);
    default:
      return IsPlain(text) ? ParsePlain(type, text) : OnlyServerKnows(KeyTypeName(type));
  }
}

}  // namespace meridian
