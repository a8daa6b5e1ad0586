#include "sharding/admin/escape_string.h"

#include <cstdint>

#include "sharding/ascii.h"

namespace meridian {
namespace {

void AppendUtf8(uint32_t code, std::string& out) {
  const auto byte = [&](uint32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6);
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

// Exactly `digits` hexadecimal digits, or nothing.
std::optional<uint32_t> TakeHex(std::string_view& rest, size_t digits) {
  if (rest.size() < digits) return std::nullopt;
  uint32_t code = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int digit = HexDigit(rest[i]);
    if (digit < 0) return std::nullopt;
    code = code << 4 | static_cast<uint32_t>(digit);
  }
  rest.remove_prefix(digits);
  return code;
}

bool IsLowSurrogate(uint32_t code) { return code >= 0xDC00 && code < 0xE000; }

// \uXXXX and \UXXXXXXXX, where a surrogate pair stands for one character.
bool DecodeUnicode(std::string_view& rest, size_t digits, std::string& out) {
  auto code = TakeHex(rest, digits);
  if (!code || *code == 0 || *code > 0x10FFFF || IsLowSurrogate(*code)) return false;
  if (*code >= 0xD800 && *code < 0xDC00) {
    if (!rest.starts_with("\\u") && !rest.starts_with("\\U")) return false;
    const size_t low_digits = rest[1] == 'u' ? 4 : 8;
    rest.remove_prefix(2);
    const auto low = TakeHex(rest, low_digits);
    if (!low || !IsLowSurrogate(*low)) return false;
    code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
  }
  AppendUtf8(*code, out);
  return true;
}

bool DecodeOctal(std::string_view& rest, std::string& out) {
  uint32_t value = 0;
  for (int i = 0; i < 3 && !rest.empty() && rest[0] >= '0' && rest[0] <= '7'; ++i) {
    value = value << 3 | static_cast<uint32_t>(rest[0] - '0');
    rest.remove_prefix(1);
  }
  out += static_cast<char>(value);
  return (value & 0xFF) != 0;
}

bool DecodeByte(std::string_view& rest, std::string& out) {
  uint32_t value = 0;
  size_t digits = 0;
  while (digits < 2 && digits < rest.size() && HexDigit(rest[digits]) >= 0) {
    value = value << 4 | static_cast<uint32_t>(HexDigit(rest[digits++]));
  }
  if (digits == 0) {  // as PostgreSQL: an x like any other character
    out += 'x';
    return true;
  }
  rest.remove_prefix(digits);
  out += static_cast<char>(value);
  return value != 0;
}

}  // namespace

bool DecodeEscape(std::string_view& rest, std::string& out) {
  if (rest.empty()) return false;
  const char c = rest[0];
  if (c >= '0' && c <= '7') return DecodeOctal(rest, out);
  rest.remove_prefix(1);
  switch (c) {
    case 'b':
      out += '\b';
      return true;
    case 'f':
      out += '\f';
      return true;
    case 'n':
      out += '\n';
      return true;
    case 'r':
      out += '\r';
      return true;
    case 't':
      out += '\t';
      return true;
    case 'v':
      out += '\v';
      return true;
    case 'x':
      return DecodeByte(rest, out);
    case 'u':
      return DecodeUnicode(rest, 4, out);
    case 'U':
      return DecodeUnicode(rest, 8, out);
    default:
      out += c;
      return true;
  }
}

}  // namespace meridian
