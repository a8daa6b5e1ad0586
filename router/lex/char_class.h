// What each byte means to PostgreSQL's scanner (src/backend/parser/scan.l, definitions section).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace meridian {

enum class CharClass : uint8_t {
  kOther,  // no token starts with it
  kSpace,
  kWord,  // letters, '_', bytes above 0x7f: starts an identifier
  kDigit,
  kOperator,
  kSymbol,  // , ( ) [ ] ;
  kQuote,
  kDoubleQuote,
  kDollar,
  kColon,
  kDot,
};

inline constexpr std::array<CharClass, 256> kCharClasses = [] {
  std::array<CharClass, 256> classes{};
  const auto set = [&classes](std::string_view chars, CharClass c) {
    for (const char each : chars) classes[static_cast<uint8_t>(each)] = c;
  };
  set(" \t\n\r\f", CharClass::kSpace);
  set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", CharClass::kWord);
  for (int c = 0x80; c < 0x100; ++c) classes[c] = CharClass::kWord;
  set("0123456789", CharClass::kDigit);
  set("~!@#^&|`?+-*/%<>=", CharClass::kOperator);
  set(",()[];", CharClass::kSymbol);
  set("'", CharClass::kQuote);
  set("\"", CharClass::kDoubleQuote);
  set("$", CharClass::kDollar);
  set(":", CharClass::kColon);
  set(".", CharClass::kDot);
  return classes;
}();

// ASCII letters in lower case, all else as it is: how identifiers and keywords fold.
inline constexpr std::array<char, 256> kFolded = [] {
  std::array<char, 256> folded{};
  for (int c = 0; c < 256; ++c) {
    folded[c] = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return folded;
}();

// Whether the byte continues an identifier.
inline constexpr std::array<bool, 256> kContinuesWord = [] {
  std::array<bool, 256> continues{};
  for (int c = 0; c < 256; ++c) {
    continues[c] = kCharClasses[c] == CharClass::kWord || kCharClasses[c] == CharClass::kDigit ||
                   kCharClasses[c] == CharClass::kDollar;
  }
  return continues;
}();

constexpr CharClass ClassOf(char c) { return kCharClasses[static_cast<uint8_t>(c)]; }
constexpr char Fold(char c) { return kFolded[static_cast<uint8_t>(c)]; }
constexpr bool ContinuesWord(char c) { return kContinuesWord[static_cast<uint8_t>(c)]; }
constexpr bool IsNewline(char c) { return c == '\n' || c == '\r'; }

}  // namespace meridian
