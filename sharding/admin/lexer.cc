#include "sharding/admin/lexer.h"

#include <algorithm>

#include "sharding/admin/escape_string.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"
#include "sharding/utf8.h"

namespace meridian {
namespace {

bool IsNameStart(char c) {
  const char lower = AsciiLower(c);
  return (lower >= 'a' && lower <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool IsNameByte(char c) { return IsNameStart(c) || IsAsciiDigit(c) || c == '$'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<AdminToken>> Run() {
    for (;;) {
      if (absl::Status skipped = SkipSpace(); !skipped.ok()) return skipped;
      token_ = {AdminToken::Kind::kEnd, {}, at_, at_};
      if (at_ < text_.size()) {
        if (absl::Status read = ReadToken(); !read.ok()) return read;
      }
      token_.end = at_;
      tokens_.push_back(token_);
      if (token_.kind == AdminToken::Kind::kEnd) return std::move(tokens_);
    }
  }

 private:
  bool StartsWith(std::string_view prefix) const { return text_.substr(at_).starts_with(prefix); }
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  absl::Status Error(std::string_view state, std::string message) const {
    return ToStatus(
        {std::string(state), std::move(message), {}, {}, CharacterPosition(text_, token_.begin)});
  }

  absl::Status SkipSpace() {
    for (;;) {
      if (IsAsciiSpace(Peek()) && at_ < text_.size()) {
        ++at_;
      } else if (StartsWith("--")) {
        at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
      } else if (StartsWith("/*")) {
        if (!SkipBlockComment()) return Error(sqlstate::kSyntaxError, "unterminated /* comment");
      } else {
        return absl::OkStatus();
      }
    }
  }

  bool SkipBlockComment() {
    token_.begin = at_;
    int depth = 0;
    do {
      if (StartsWith("/*")) {
        ++depth;
        at_ += 2;
      } else if (StartsWith("*/")) {
        --depth;
        at_ += 2;
      } else if (++at_ >= text_.size()) {
        return false;
      }
    } while (depth > 0);
    return true;
  }

  absl::Status ReadToken() {
    const char c = Peek();
    if (c == '\'') return ReadString(false);
    if ((c == 'E' || c == 'e') && Peek(1) == '\'') {
      ++at_;
      return ReadString(true);
    }
    if (c == '"') return ReadQuotedName();
    if (IsNameStart(c)) return ReadName();
    if (IsAsciiDigit(c) || (c == '.' && IsAsciiDigit(Peek(1)))) return ReadNumber();
    if (c == '$') return ReadDollar();
    token_.kind = AdminToken::Kind::kSymbol;
    token_.value = c;
    ++at_;
    return absl::OkStatus();
  }

  absl::Status ReadName() {
    token_.kind = AdminToken::Kind::kName;
    while (at_ < text_.size() && IsNameByte(text_[at_])) token_.value += AsciiLower(text_[at_++]);
    return absl::OkStatus();
  }

  absl::Status ReadQuotedName() {
    token_.kind = AdminToken::Kind::kQuotedName;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        if (Peek() != '"') {
          if (!token_.value.empty()) return absl::OkStatus();
          return Error(sqlstate::kSyntaxError, "zero-length delimited identifier");
        }
      }
      token_.value += text_[at_];
    }
    return Error(sqlstate::kSyntaxError, "unterminated quoted identifier");
  }

  // Permissive, because the statement of EXPLAIN ROUTE may be of a newer PostgreSQL (0x1F, 1_000).
  absl::Status ReadNumber() {
    token_.kind = AdminToken::Kind::kNumber;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const bool sign = (c == '+' || c == '-') && AsciiLower(text_[at_ - 1]) == 'e' &&
                        at_ > token_.begin && !token_.value.starts_with("0x");
      if (!IsNameByte(c) && c != '.' && !sign) break;
      token_.value += c;
      ++at_;
    }
    return absl::OkStatus();
  }

  absl::Status ReadString(bool escapes) {
    token_.kind = AdminToken::Kind::kString;
    do {
      if (absl::Status part = ReadStringPart(escapes); !part.ok()) return part;
    } while (SkipToContinuation());
    if (IsValidText(token_.value)) return absl::OkStatus();
    return Error("22021", "invalid byte sequence for encoding \"UTF8\" in a string");
  }

  // From the opening quote to behind the closing one.
  absl::Status ReadStringPart(bool escapes) {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\'') {
        ++at_;
        if (Peek() != '\'') return absl::OkStatus();
      } else if (escapes && text_[at_] == '\\') {
        std::string_view rest = text_.substr(at_ + 1);
        if (!DecodeEscape(rest, token_.value)) {
          return Error("22025", "invalid escape in a string");
        }
        at_ = text_.size() - rest.size() - 1;
        continue;
      }
      token_.value += text_[at_];
    }
    return Error(sqlstate::kSyntaxError, "unterminated quoted string");
  }

  // A string goes on behind white space that holds a line end ('a' newline 'b' is 'ab').
  bool SkipToContinuation() {
    size_t next = at_;
    bool line_end = false;
    while (next < text_.size()) {
      if (IsAsciiSpace(text_[next])) {
        line_end |= text_[next] == '\n' || text_[next] == '\r';
        ++next;
      } else if (text_.substr(next).starts_with("--")) {
        next = std::min(text_.find_first_of("\r\n", next), text_.size());
      } else {
        break;
      }
    }
    if (!line_end || next >= text_.size() || text_[next] != '\'') return false;
    at_ = next;
    return true;
  }

  absl::Status ReadDollar() {
    if (IsAsciiDigit(Peek(1))) {
      token_.kind = AdminToken::Kind::kParameter;
      for (++at_; IsAsciiDigit(Peek()); ++at_) token_.value += Peek();
      return absl::OkStatus();
    }
    size_t end = at_ + 1;
    while (end < text_.size() && IsNameByte(text_[end]) && text_[end] != '$') ++end;
    if (end >= text_.size() || text_[end] != '$') {
      token_.kind = AdminToken::Kind::kSymbol;
      token_.value = text_[at_++];
      return absl::OkStatus();
    }
    const std::string_view tag = text_.substr(at_, end + 1 - at_);
    const size_t close = text_.find(tag, end + 1);
    if (close == std::string_view::npos) {
      return Error(sqlstate::kSyntaxError, "unterminated dollar-quoted string");
    }
    token_.kind = AdminToken::Kind::kString;
    token_.value = text_.substr(end + 1, close - end - 1);
    at_ = close + tag.size();
    return absl::OkStatus();
  }

  const std::string_view text_;
  size_t at_ = 0;
  AdminToken token_;
  std::vector<AdminToken> tokens_;
};

}  // namespace

int CharacterPosition(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, byte);
  return 1 + static_cast<int>(std::count_if(before.begin(), before.end(), [](char c) {
           return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
         }));
}

absl::StatusOr<std::vector<AdminToken>> LexAdmin(std::string_view text) {
  if (!IsValidText(text)) {
    return SqlStatus("22021", "invalid byte sequence for encoding \"UTF8\"");
  }
  return Lexer(text).Run();
}

}  // namespace meridian
