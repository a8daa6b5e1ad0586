// Cuts SQL text into the tokens that PostgreSQL's parser sees.
//
// Agrees with src/backend/parser/scan.l of PostgreSQL 15 about where each token begins and ends.
// Text that scan.l refuses, or that no grammar rule could accept (a stray '\' or '{'), is an error
// token here; so is a string that goes on behind a comment ('a' --c <newline> 'b'), which
// libpg_query reads otherwise. Newer servers read some of that text (0x1F, 1_000): an error token
// means "not known", not "wrong". Pure, one pass, no allocation, no recursion; hostile text costs
// linear time. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "router/values.h"

namespace meridian {

enum class TokenKind : uint8_t {
  kEnd,    // nothing but white space and comments is left; given again on each further call
  kError,  // the text cannot be read from `range.begin` on; given again on each further call
  // Identifiers
  kWord,               // a keyword or an unquoted identifier, as written
  kQuotedIdentifier,   // "Name", quotes included
  kUnicodeIdentifier,  // U&"n\0061me"; a UESCAPE clause after it is tokens of its own
  kNational,           // the N of N'...': reads as the keyword NCHAR; the string is the next token
  // Literals: LiteralKindOf. A string that goes on after a newline ('a' <newline> 'b') is one
  // token.
  kInteger,  // up to int8
  kNumeric,
  kString,
  kEscapeString,
  kUnicodeString,  // a UESCAPE clause after it is tokens of its own
  kDollarString,
  kBitString,
  // The rest
  kParameter,  // $1
  kOperator,   // anything made of operator characters, also a single one; and :: := .. =>
  kSymbol,     // one of , ( ) [ ] . ; :
};

// nullopt where the token is not a literal.
constexpr std::optional<LiteralKind> LiteralKindOf(TokenKind kind) {
  if (kind < TokenKind::kInteger || kind > TokenKind::kBitString) return std::nullopt;
  return static_cast<LiteralKind>(static_cast<uint8_t>(kind) -
                                  static_cast<uint8_t>(TokenKind::kInteger));
}

// The range comes first: so a Token travels in registers as it is used, the range in one of them.
struct Token {
  TextRange range;
  TokenKind kind = TokenKind::kEnd;
};

class Scanner {
 public:
  // `text` must outlive the scanner; in an encoding whose multi-byte characters hold no ASCII
  // bytes. Text of 2 GiB or more is one error token. With standard_conforming_strings off, a
  // backslash in '...' escapes and U&'...' is an error, as in PostgreSQL.
  Scanner(std::string_view text, bool standard_conforming_strings);

  Token Next();

 private:
  Token Make(TokenKind kind, const char* begin);
  Token Fail(const char* begin);
  // These start behind what told the kind of the token, and leave `at_` behind the token.
  Token Word(const char* begin);
  Token QuotedIdentifier(TokenKind kind, const char* begin);
  Token String(TokenKind kind, const char* begin);
  Token DollarOrParameter(const char* begin);
  Token Number(const char* begin);
  Token Operator(const char* begin);
  Token Colon(const char* begin);
  Token Dot(const char* begin);
  // False where it is not terminated.
  bool SkipComment(const char* begin);

  const char* const text_;
  const char* const end_;
  const char* at_;
  const bool standard_conforming_strings_;
  const bool too_long_;
};

}  // namespace meridian
