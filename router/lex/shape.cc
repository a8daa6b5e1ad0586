#include "router/lex/shape.h"

#include <cstddef>
#include <cstdint>
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

constexpr size_t kStride = sizeof(uint64_t);

// Eight bytes at once, with ASCII letters in lower case.
uint64_t FoldEight(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  const uint64_t low_bits = bytes & 0x7f * kOnes;
  const uint64_t from_a = low_bits + (0x80 - 'A') * kOnes;
  const uint64_t above_z = low_bits + (0x7f - 'Z') * kOnes;
  const uint64_t upper = (from_a ^ above_z) & ~bytes & 0x80 * kOnes;
  return bytes | upper >> 2;
}

// Writes tokens of a text, each followed by a space, into memory that has room for them and kStride
// bytes more: tokens are short, and a call of memcpy costs more than a few bytes too many.
class ShapeWriter {
 public:
  ShapeWriter(std::string_view text, char* out)
      : text_end_(text.data() + text.size()), begin_(out), out_(out) {}

  void Verbatim(std::string_view token) {
    if (text_end_ - token.data() < static_cast<ptrdiff_t>(kStride) || token.size() > kStride) {
      std::memcpy(out_, token.data(), token.size());
    } else {
      std::memcpy(out_, token.data(), kStride);
    }
    Finish(token.size());
  }
  void Folded(std::string_view word) {
    size_t done = 0;
    while (done < word.size() &&
           text_end_ - (word.data() + done) >= static_cast<ptrdiff_t>(kStride)) {
      uint64_t bytes;
      std::memcpy(&bytes, word.data() + done, kStride);
      bytes = FoldEight(bytes);
      std::memcpy(out_ + done, &bytes, kStride);
      done += kStride;
    }
    for (; done < word.size(); ++done) out_[done] = Fold(word[done]);
    Finish(word.size());
  }
  // The N of N'...': it reads as the keyword NCHAR, unlike the identifier n.
  void National() {
    std::memcpy(out_, "n'", 2);
    Finish(2);
  }
  void Literal(LiteralKind kind, std::string_view token) {
    const bool int8 = kind == LiteralKind::kInteger && !FitsInt4(token);
    *out_++ = int8 ? kInt8Marker : static_cast<char>(kFirstMarker + static_cast<int>(kind));
    if (kind == LiteralKind::kInteger && EndsInFloatPrecision()) {
      Verbatim(token);
    } else {
      Finish(0);
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

  // Behind a token of this size.
  void Finish(size_t size) {
    out_[size] = ' ';
    out_ += size + 1;
  }

  const char* const text_end_;
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

std::optional<TextRange> MakeShape(std::string_view text, bool standard_conforming_strings,
                                   std::string* shape, std::vector<Literal>* literals) {
  literals->clear();
  TextRange extent;
  bool first = true;
  // No token takes more than twice its own bytes, but for the N of N'' and the number of float(n),
  // next to which there are bytes to spare.
  shape->resize(2 * text.size() + 2 * kStride);
  ShapeWriter writer(text, shape->data());
  Scanner scanner(text, standard_conforming_strings);
  TokenKind previous = TokenKind::kEnd;
  for (;;) {
    const Token token = scanner.Next();
    const std::string_view bytes(text.data() + token.range.begin, token.range.size());
    switch (token.kind) {
      case TokenKind::kError:
        return std::nullopt;
      case TokenKind::kEnd:
        writer.DropSemicolons();
        shape->resize(writer.written().size());
        return extent;
      case TokenKind::kWord:
        if (IsUescape(bytes) && previous == TokenKind::kUnicodeIdentifier) return std::nullopt;
        if (IsUescape(bytes) && previous == TokenKind::kUnicodeString) {
          if (!TakeUescape(&scanner, &literals->back())) return std::nullopt;
          extent.end = literals->back().range.end;
        } else {
          writer.Folded(bytes);
        }
        break;
      case TokenKind::kNational:
        writer.National();
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
    if (token.kind == TokenKind::kSymbol && bytes == ";") continue;
    if (first) extent.begin = token.range.begin;
    first = false;
    if (token.range.end > extent.end) extent.end = token.range.end;
  }
}

std::string ReadableShape(std::string_view text, bool standard_conforming_strings) {
  constexpr size_t kMaxBytes = 1000;
  constexpr std::string_view kMore = "...";
  std::string shape;
  std::vector<Literal> literals;
  if (!MakeShape(text, standard_conforming_strings, &shape, &literals)) return {};
  if (shape.size() > kMaxBytes) {
    size_t end = kMaxBytes - kMore.size();
    while (end > 0 && (static_cast<unsigned char>(shape[end]) & 0xc0) == 0x80) --end;
    shape.resize(end);
    shape.append(kMore);
  }
  for (char& c : shape) {
    if (c >= kFirstMarker && c <= kInt8Marker) c = '?';
  }
  if (!shape.empty() && shape.back() == ' ') shape.pop_back();
  return shape;
}

}  // namespace meridian
