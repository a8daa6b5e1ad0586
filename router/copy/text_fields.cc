#include "router/copy/text_fields.h"

#include "sharding/ascii.h"

namespace meridian {
namespace {

bool IsOctal(std::string_view rest) {
  return !rest.empty() && rest.front() >= '0' && rest.front() <= '7';
}

// Takes what follows a backslash, of which there is something.
char TakeEscape(std::string_view* rest) {
  if (IsOctal(*rest)) {
    int value = 0;
    for (int digits = 0; digits < 3 && IsOctal(*rest); ++digits) {
      value = value * 8 + (rest->front() - '0');
      rest->remove_prefix(1);
    }
    return static_cast<char>(value);
  }
  const char c = rest->front();
  rest->remove_prefix(1);
  switch (c) {
    case 'x': {
      int value = 0;
      int digits = 0;
      for (; digits < 2 && !rest->empty() && HexDigit(rest->front()) >= 0; ++digits) {
        value = value * 16 + HexDigit(rest->front());
        rest->remove_prefix(1);
      }
      return digits == 0 ? c : static_cast<char>(value);
    }
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
}

}  // namespace

void TextFields::Begin(const CopyRow& row) {
  delimiters_.Begin(row.content);
  backslashes_.Begin(row.content);
  at_ = row.content.data();
  end_ = at_ + row.content.size();
  plain_ = row.plain;
  done_ = false;
}

bool TextFields::Next(std::string_view* raw) {
  if (done_) return false;
  const char* const begin = at_;
  const char* end = delimiters_.From(at_);
  while (!plain_) {
    const char* const backslash = backslashes_.From(at_);
    if (backslash >= end) break;
    if (end_ - backslash == 1) {  // alone at the end of the data: dropped
      end = backslash;
      done_ = true;
      break;
    }
    at_ = backslash + 2;
    end = delimiters_.From(at_);
  }
  *raw = {begin, static_cast<size_t>(end - begin)};
  done_ = done_ || end == end_;
  at_ = done_ ? end : end + 1;
  return true;
}

std::string_view DecodeTextField(std::string_view raw, std::string* scratch) {
  size_t backslash = raw.find('\\');
  if (backslash == std::string_view::npos) return raw;
  scratch->clear();
  while (backslash != std::string_view::npos) {
    scratch->append(raw.substr(0, backslash));
    raw.remove_prefix(backslash + 1);
    if (raw.empty()) break;
    scratch->push_back(TakeEscape(&raw));
    backslash = raw.find('\\');
  }
  scratch->append(raw);
  return *scratch;
}

}  // namespace meridian
