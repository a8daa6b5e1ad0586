#include "router/lex/scanner.h"

#include <cstring>
#include <limits>

#include "router/lex/char_class.h"
#include "router/lex/string_continuation.h"

namespace meridian {
namespace {

// NAMEDATALEN: an operator's name must be shorter.
constexpr ptrdiff_t kOperatorBytesEnd = 64;
constexpr size_t kTextBytesEnd = std::numeric_limits<int32_t>::max();

const char* Find(const char* at, const char* end, char c) {
  const void* found = std::memchr(at, c, end - at);
  return found == nullptr ? end : static_cast<const char*>(found);
}

const char* SkipDigits(const char* at, const char* end) {
  while (at != end && ClassOf(*at) == CharClass::kDigit) ++at;
  return at;
}

bool StartsWord(const char* at, const char* end) {
  return at != end && ClassOf(*at) == CharClass::kWord;
}

bool FitsInt8(std::string_view digits) {
  constexpr std::string_view kMax = "9223372036854775807";
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits.size() < kMax.size() || (digits.size() == kMax.size() && digits <= kMax);
}

bool StartsComment(const char* at, const char* end) {
  return end - at >= 2 && ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*'));
}

// An operator of several characters may end in + or - only when it has one of these, so that "a=-1"
// is "a = -1".
bool MayEndInSign(std::string_view op) {
  return op.find_first_of("~!@#^&|`?%") != std::string_view::npos;
}

}  // namespace

Scanner::Scanner(std::string_view text, bool standard_conforming_strings)
    : text_(text.data()),
      end_(text.data() + (text.size() < kTextBytesEnd ? text.size() : 0)),
      at_(text.data()),
      standard_conforming_strings_(standard_conforming_strings),
      too_long_(text.size() >= kTextBytesEnd) {}

Token Scanner::Make(TokenKind kind, const char* begin) {
  return {{static_cast<uint32_t>(begin - text_), static_cast<uint32_t>(at_ - text_)}, kind};
}

// Leaves `at_` where the next call finds the same error.
Token Scanner::Fail(const char* begin) {
  at_ = begin;
  return Make(TokenKind::kError, begin);
}

Token Scanner::Next() {
  while (at_ != end_) {
    const char* const begin = at_++;
    switch (ClassOf(*begin)) {
      case CharClass::kSpace:
        continue;
      case CharClass::kWord:
        return Word(begin);
      case CharClass::kDigit:
        return Number(begin);
      case CharClass::kOperator:
        if (!StartsComment(begin, end_)) return Operator(begin);
        if (!SkipComment(begin)) return Fail(begin);
        continue;
      case CharClass::kSymbol:
        return Make(TokenKind::kSymbol, begin);
      case CharClass::kQuote:
        return String(TokenKind::kString, begin);
      case CharClass::kDoubleQuote:
        return QuotedIdentifier(TokenKind::kQuotedIdentifier, begin);
      case CharClass::kDollar:
        return DollarOrParameter(begin);
      case CharClass::kColon:
        return Colon(begin);
      case CharClass::kDot:
        return Dot(begin);
      case CharClass::kOther:
        return Fail(begin);
    }
  }
  return Make(too_long_ ? TokenKind::kError : TokenKind::kEnd, end_);
}

// Block comments nest.
bool Scanner::SkipComment(const char* begin) {
  if (*begin == '-') {
    while (at_ != end_ && !IsNewline(*at_)) ++at_;
    return true;
  }
  size_t depth = 1;
  const char* at = begin + 2;
  while (depth > 0) {
    if (end_ - at < 2) return false;
    if (at[0] == '*' && at[1] == '/') {
      --depth;
      at += 2;
    } else if (at[0] == '/' && at[1] == '*') {
      ++depth;
      at += 2;
    } else {
      ++at;
    }
  }
  at_ = at;
  return true;
}

Token Scanner::Word(const char* begin) {
  const char* at = at_;
  while (at != end_ && ContinuesWord(*at)) ++at;
  at_ = at;
  if (at - begin != 1 || at == end_) return Make(TokenKind::kWord, begin);
  const char letter = Fold(*begin);
  if (*at_ == '\'') {
    if (letter == 'n') return Make(TokenKind::kNational, begin);
    if (letter == 'e' || letter == 'b' || letter == 'x') {
      ++at_;
      return String(letter == 'e' ? TokenKind::kEscapeString : TokenKind::kBitString, begin);
    }
  } else if (letter == 'u' && *at_ == '&' && end_ - at_ >= 2) {
    if (at_[1] == '"') {
      at_ += 2;
      return QuotedIdentifier(TokenKind::kUnicodeIdentifier, begin);
    }
    if (at_[1] == '\'') {
      if (!standard_conforming_strings_) return Fail(begin);
      at_ += 2;
      return String(TokenKind::kUnicodeString, begin);
    }
  }
  return Make(TokenKind::kWord, begin);
}

Token Scanner::QuotedIdentifier(TokenKind kind, const char* begin) {
  const char* const content = at_;
  for (;;) {
    at_ = Find(at_, end_, '"');
    if (at_ == end_) return Fail(begin);
    ++at_;
    if (at_ == end_ || *at_ != '"') break;
    ++at_;
  }
  if (at_ - content == 1) return Fail(begin);  // a zero-length identifier
  return Make(kind, begin);
}

Token Scanner::String(TokenKind kind, const char* begin) {
  const bool backslash_escapes = kind == TokenKind::kEscapeString ||
                                 (kind == TokenKind::kString && !standard_conforming_strings_);
  const bool quote_doubles = kind != TokenKind::kBitString;
  for (;;) {
    if (backslash_escapes) {
      while (at_ != end_ && *at_ != '\'') at_ += *at_ == '\\' && end_ - at_ >= 2 ? 2 : 1;
    } else {
      at_ = Find(at_, end_, '\'');
    }
    if (at_ == end_) return Fail(begin);
    ++at_;
    if (quote_doubles && at_ != end_ && *at_ == '\'') {
      ++at_;
      continue;
    }
    const Continuation continuation = FindContinuation(at_, end_);
    if (continuation.at == nullptr) return Make(kind, begin);
    if (continuation.over_comment) return Fail(begin);
    at_ = continuation.at;
  }
}

Token Scanner::DollarOrParameter(const char* begin) {
  if (at_ != end_ && ClassOf(*at_) == CharClass::kDigit) {
    at_ = SkipDigits(at_, end_);
    if (StartsWord(at_, end_)) return Fail(begin);
    return Make(TokenKind::kParameter, begin);
  }
  if (StartsWord(at_, end_)) {
    while (at_ != end_ && ContinuesWord(*at_) && *at_ != '$') ++at_;
  }
  if (at_ == end_ || *at_ != '$') return Fail(begin);
  ++at_;
  // A tag holds no '$', so the first occurrence of the delimiter is the end, and a failed
  // comparison never has to be looked at again: linear time.
  const std::string_view delimiter(begin, at_ - begin);
  for (;;) {
    at_ = Find(at_, end_, '$');
    if (static_cast<size_t>(end_ - at_) < delimiter.size()) return Fail(begin);
    if (std::string_view(at_, delimiter.size()) == delimiter) {
      at_ += delimiter.size();
      return Make(TokenKind::kDollarString, begin);
    }
    ++at_;
  }
}

// Starts at a digit, or at a dot that a digit follows.
Token Scanner::Number(const char* begin) {
  at_ = SkipDigits(begin, end_);
  bool integer = true;
  const bool dot = at_ != end_ && *at_ == '.';
  // "1..2" is an integer, the range operator of PL/pgSQL, and an integer.
  if (dot && !(at_ != begin && end_ - at_ >= 2 && at_[1] == '.')) {
    integer = false;
    at_ = SkipDigits(at_ + 1, end_);
  }
  if (at_ != end_ && Fold(*at_) == 'e') {
    const char* exponent = at_ + 1;
    if (exponent != end_ && (*exponent == '+' || *exponent == '-')) ++exponent;
    const char* const exponent_end = SkipDigits(exponent, end_);
    if (exponent_end == exponent) return Fail(begin);
    integer = false;
    at_ = exponent_end;
  }
  if (StartsWord(at_, end_)) return Fail(begin);  // trailing junk
  integer = integer && FitsInt8(std::string_view(begin, at_ - begin));
  return Make(integer ? TokenKind::kInteger : TokenKind::kNumeric, begin);
}

Token Scanner::Operator(const char* begin) {
  while (at_ != end_ && ClassOf(*at_) == CharClass::kOperator && !StartsComment(at_, end_)) ++at_;
  if (at_ - begin > 1 && (at_[-1] == '+' || at_[-1] == '-') &&
      !MayEndInSign(std::string_view(begin, at_ - begin))) {
    while (at_ - begin > 1 && (at_[-1] == '+' || at_[-1] == '-')) --at_;
  }
  if (at_ - begin >= kOperatorBytesEnd) return Fail(begin);
  return Make(TokenKind::kOperator, begin);
}

Token Scanner::Colon(const char* begin) {
  if (at_ == end_ || (*at_ != ':' && *at_ != '=')) return Make(TokenKind::kSymbol, begin);
  ++at_;
  return Make(TokenKind::kOperator, begin);
}

Token Scanner::Dot(const char* begin) {
  if (at_ != end_ && ClassOf(*at_) == CharClass::kDigit) return Number(begin);
  if (at_ == end_ || *at_ != '.') return Make(TokenKind::kSymbol, begin);
  ++at_;
  return Make(TokenKind::kOperator, begin);
}

}  // namespace meridian
