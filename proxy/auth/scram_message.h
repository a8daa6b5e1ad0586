// Reading SCRAM messages: comma-separated attributes `letter=value` (RFC 5802 section 5.1).
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace meridian {

// Longer messages are refused, from either side (PostgreSQL: PG_MAX_SASL_MESSAGE_LENGTH is 1024 for
// a client's; a server's may carry a salt of kScramSaltBytesMax).
inline constexpr size_t kScramMessageBytesMax = 4096;

// Reads one message from its beginning to its end. Borrows the text.
class ScramMessage {
 public:
  explicit ScramMessage(std::string_view text) : rest_(text), text_(text) {}

  // The next attribute's value if its letter is `name`; otherwise nothing is read.
  std::optional<std::string_view> Take(char name) {
    if (!IsNext(name)) return std::nullopt;
    return TakeAny();
  }
  bool IsNext(char name) const { return rest_.size() >= 2 && rest_[0] == name && rest_[1] == '='; }
  // The next attribute's value whatever its letter is; nothing if it is not of that form.
  std::optional<std::string_view> TakeAny() {
    if (rest_.size() < 2 || !IsLetter(rest_[0]) || rest_[1] != '=') return std::nullopt;
    const size_t end = rest_.find(',');
    const std::string_view value = rest_.substr(2, end == std::string_view::npos ? end : end - 2);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    ended_by_comma_ = end != std::string_view::npos;
    return value;
  }
  // Whether all was read, and no comma dangles at the end.
  bool AtEnd() const { return rest_.empty() && !ended_by_comma_; }
  // How much of the text was read, the comma behind the last attribute included.
  size_t position() const { return text_.size() - rest_.size(); }

 private:
  static bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  std::string_view rest_;
  std::string_view text_;
  bool ended_by_comma_ = false;
};

// Printable ASCII without the comma (RFC 5802: c-nonce), and not empty.
inline bool IsScramNonce(std::string_view text) {
  for (const char c : text) {
    if (c < 0x21 || c > 0x7e || c == ',') return false;
  }
  return !text.empty();
}

// A decimal number without sign; nothing if it does not fit.
inline std::optional<int> ParseScramNumber(std::string_view text) {
  int number = 0;
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace meridian
