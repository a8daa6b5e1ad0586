#include "router/lex/literal.h"

#include <cstddef>
#include <cstdint>

#include "router/lex/char_class.h"
#include "router/lex/string_continuation.h"

namespace meridian {
namespace {

enum class Escapes : uint8_t { kNone, kBackslash, kUnicode };

// The value of a hexadecimal digit, or -1.
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char folded = Fold(c);
  return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// Takes exactly `count` hexadecimal digits of a code point; false unless the character is ASCII (of
// any other, the bytes depend on the server's encoding) and not zero.
bool TakeCodePoint(std::string_view* rest, size_t count, std::string* value) {
  if (rest->size() < count) return false;
  uint32_t code_point = 0;
  for (const char c : rest->substr(0, count)) {
    if (HexValue(c) < 0) return false;
    code_point = code_point * 16 + HexValue(c);
  }
  if (code_point == 0 || code_point > 0x7f) return false;
  rest->remove_prefix(count);
  value->push_back(static_cast<char>(code_point));
  return true;
}

// One to `max_digits` digits of a byte's number in `base`.
template <typename IsDigit>
bool TakeByte(std::string_view* rest, size_t max_digits, int base, IsDigit is_digit,
              std::string* value) {
  int byte = 0;
  size_t digits = 0;
  while (digits < max_digits && digits < rest->size() && is_digit((*rest)[digits])) {
    byte = byte * base + HexValue((*rest)[digits++]);
  }
  rest->remove_prefix(digits);
  value->push_back(static_cast<char>(byte));
  return (byte & 0xff) != 0;
}

// What follows a backslash in E'...' (scan.l: xeescape, xeoctesc, xehexesc, xeunicode).
bool TakeBackslashEscape(std::string_view* rest, std::string* value) {
  if (rest->empty()) return false;
  if (IsOctal(rest->front())) return TakeByte(rest, 3, 8, IsOctal, value);
  const char c = rest->front();
  rest->remove_prefix(1);
  switch (c) {
    case 'x':
      if (!rest->empty() && HexValue(rest->front()) >= 0) {
        return TakeByte(
            rest, 2, 16, [](char digit) { return HexValue(digit) >= 0; }, value);
      }
      value->push_back(c);
      return true;
    case 'u':
      return TakeCodePoint(rest, 4, value);
    case 'U':
      return TakeCodePoint(rest, 8, value);
    case '\'':
      return false;  // the server's backslash_quote decides
    case 'b':
      value->push_back('\b');
      return true;
    case 'f':
      value->push_back('\f');
      return true;
    case 'n':
      value->push_back('\n');
      return true;
    case 'r':
      value->push_back('\r');
      return true;
    case 't':
      value->push_back('\t');
      return true;
    default:
      value->push_back(c);
      return true;
  }
}

// What follows a backslash in U&'...' (parser.c: str_udeescape).
bool TakeUnicodeEscape(std::string_view* rest, std::string* value) {
  if (rest->starts_with('\\')) {
    rest->remove_prefix(1);
    value->push_back('\\');
    return true;
  }
  if (!rest->starts_with('+')) return TakeCodePoint(rest, 4, value);
  rest->remove_prefix(1);
  return TakeCodePoint(rest, 6, value);
}

// `rest` starts behind the opening quote. False where the value is not certain.
bool DecodeQuoted(std::string_view rest, Escapes escapes, std::string* value) {
  value->clear();
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '\'') {
      if (rest.empty()) return true;
      if (rest.front() == '\'') {
        value->push_back('\'');
        rest.remove_prefix(1);
        continue;
      }
      const char* const end = rest.data() + rest.size();
      const Continuation continuation = FindContinuation(rest.data(), end);
      if (continuation.at == nullptr || continuation.over_comment) return false;
      rest = {continuation.at, static_cast<size_t>(end - continuation.at)};
    } else if (c == '\\' && escapes == Escapes::kBackslash) {
      if (!TakeBackslashEscape(&rest, value)) return false;
    } else if (c == '\\' && escapes == Escapes::kUnicode) {
      if (!TakeUnicodeEscape(&rest, value)) return false;
    } else {
      value->push_back(c);
    }
  }
  return false;
}

std::optional<std::string_view> Quoted(std::string_view literal, size_t prefix, Escapes escapes,
                                       std::string* scratch) {
  if (literal.size() < prefix + 2) return std::nullopt;
  const std::string_view content = literal.substr(prefix + 1, literal.size() - prefix - 2);
  const bool plain = content.find('\'') == std::string_view::npos &&
                     (escapes == Escapes::kNone || content.find('\\') == std::string_view::npos);
  if (plain && literal.back() == '\'') return content;
  if (!DecodeQuoted(literal.substr(prefix + 1), escapes, scratch)) return std::nullopt;
  return *scratch;
}

std::optional<std::string_view> DollarQuoted(std::string_view literal) {
  const size_t delimiter_size = literal.find('$', 1) + 1;
  if (delimiter_size == 0 || literal.size() < 2 * delimiter_size) return std::nullopt;
  return literal.substr(delimiter_size, literal.size() - 2 * delimiter_size);
}

}  // namespace

std::optional<std::string_view> DecodeLiteral(std::string_view text, const Literal& literal,
                                              bool standard_conforming_strings,
                                              std::string* scratch) {
  if (literal.range.end > text.size() || literal.range.begin > literal.range.end) {
    return std::nullopt;
  }
  const std::string_view bytes = text.substr(literal.range.begin, literal.range.size());
  switch (literal.kind) {
    case LiteralKind::kInteger:
    case LiteralKind::kNumeric:
      return bytes;
    case LiteralKind::kString:
      return Quoted(bytes, 0, standard_conforming_strings ? Escapes::kNone : Escapes::kBackslash,
                    scratch);
    case LiteralKind::kEscapeString:
      return Quoted(bytes, 1, Escapes::kBackslash, scratch);
    case LiteralKind::kUnicodeString:
      return Quoted(bytes, 2, Escapes::kUnicode, scratch);
    case LiteralKind::kDollarString:
      return DollarQuoted(bytes);
    case LiteralKind::kBitString:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace meridian
