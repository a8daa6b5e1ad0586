#include "router/lex/shape.h"

#include <cstring>

#include "router/lex/char_class.h"
#include "router/lex/scanner.h"

namespace meridian {
namespace {

// In place of a literal: a byte that starts no token.
constexpr char kFirstMarker = 1;
constexpr char kInt8Marker = kFirstMarker + 7;
static_assert(static_cast<int>(LiteralKind::kBitString) == 6);

// PostgreSQL's parser makes another kind of constant of an integer that is too long for int4.
bool FitsInt4(std::string_view digits) {
  constexpr std::string_view kMax = "2147483647";
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits.size() < kMax.size() || (digits.size() == kMax.size() && digits <= kMax);
}

// Writes tokens, each followed by a space, into memory that is long enough.
class ShapeWriter {
 public:
  explicit ShapeWriter(char* out) : begin_(out), out_(out) {}

  void Verbatim(std::string_view token) {
    std::memcpy(out_, token.data(), token.size());
    out_ += token.size();
    *out_++ = ' ';
  }
  void Folded(std::string_view word) {
    for (const char c : word) *out_++ = Fold(c);
    *out_++ = ' ';
  }
  void Literal(LiteralKind kind, std::string_view token) {
    const bool int8 = kind == LiteralKind::kInteger && !FitsInt4(token);
    *out_++ = int8 ? kInt8Marker : static_cast<char>(kFirstMarker + static_cast<int>(kind));
    if (kind == LiteralKind::kInteger && EndsInFloatPrecision()) {
      Verbatim(token);
    } else {
      *out_++ = ' ';
    }
  }
  std::string_view written() const { return {begin_, static_cast<size_t>(out_ - begin_)}; }
  void DropSemicolons() {
    while (written().ends_with("; ")) out_ -= 2;
  }

 private:
  // A marker is written already.
  bool EndsInFloatPrecision() const {
    std::string_view before = written();
    before.remove_suffix(1);
    constexpr std::string_view kFloat = "float ( ";
    if (!before.ends_with(kFloat)) return false;
    before.remove_suffix(kFloat.size());
    return before.empty() || before.back() == ' ';
  }

  char* const begin_;
  char* out_;
};

bool IsUescape(std::string_view word) {
  constexpr std::string_view kUescape = "uescape";
  if (word.size() != kUescape.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (Fold(word[i]) != kUescape[i]) return false;
  }
  return true;
}

// The scanner is behind UESCAPE, `literal` before it. Only the plain form of the escape character.
bool TakeUescape(Scanner* scanner, Literal* literal) {
  const Token escape = scanner->Next();
  if (escape.kind != TokenKind::kString || escape.range.size() != 3) return false;
  literal->range.end = escape.range.end;
  return true;
}

}  // namespace

bool MakeShape(std::string_view text, bool standard_conforming_strings, std::string* shape,
               std::vector<Literal>* literals) {
  literals->clear();
  // No token takes more than twice its own bytes, but for the N of N'' and the number of float(n),
  // next to which there are bytes to spare.
  shape->resize(2 * text.size() + 8);
  ShapeWriter writer(shape->data());
  Scanner scanner(text, standard_conforming_strings);
  TokenKind previous = TokenKind::kEnd;
  for (;;) {
    const Token token = scanner.Next();
    const std::string_view bytes(text.data() + token.range.begin, token.range.size());
    switch (token.kind) {
      case TokenKind::kError:
        return false;
      case TokenKind::kEnd:
        writer.DropSemicolons();
        shape->resize(writer.written().size());
        return true;
      case TokenKind::kWord:
        if (IsUescape(bytes) && previous == TokenKind::kUnicodeIdentifier) return false;
        if (IsUescape(bytes) && previous == TokenKind::kUnicodeString) {
          if (!TakeUescape(&scanner, &literals->back())) return false;
        } else {
          writer.Folded(bytes);
        }
        break;
      case TokenKind::kNational:
        writer.Verbatim("n'");
        break;
      case TokenKind::kQuotedIdentifier:
      case TokenKind::kUnicodeIdentifier:
      case TokenKind::kParameter:
      case TokenKind::kOperator:
      case TokenKind::kSymbol:
        writer.Verbatim(bytes);
        break;
      default: {
        const LiteralKind kind = *LiteralKindOf(token.kind);
        literals->push_back({token.range, kind});
        writer.Literal(kind, bytes);
      }
    }
    previous = token.kind;
  }
}

}  // namespace meridian
