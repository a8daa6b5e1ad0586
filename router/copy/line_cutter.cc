#include "router/copy/line_cutter.h"

#include <algorithm>
#include <cstring>

#include "router/copy/copy_error.h"

namespace meridian {
namespace {

// nullptr: none.
const char* FindNewline(const char* at, const char* end) {
  return at == end ? nullptr : static_cast<const char*>(std::memchr(at, '\n', end - at));
}

}  // namespace

LineCutter::LineCutter(const CopySpec& spec)
    : csv_(spec.format == CopyFormat::kCsv),
      quote_(spec.quote),
      escape_(spec.escape),
      header_line_(spec.header),
      specials_(csv_ ? spec.quote : '\\'),
      returns_('\r') {}

void LineCutter::Begin(std::string_view data, bool at_end) {
  const size_t scanned = at_ - row_;
  data_ = row_ = data.data();
  at_ = row_ + scanned;
  end_ = data_ + data.size();
  at_end_ = at_end;
  specials_.Begin(data);
  returns_.Begin(data);
}

absl::StatusOr<Cut> LineCutter::Next(CopyRow* row) {
  if (ended_) return Cut::kEnd;
  switch (csv_ ? ScanCsv() : ScanText()) {
    case Stop::kNewline:
      return Take(row, newline_bytes_);
    case Stop::kEndMarker:
      // In text format the marker may stand behind a last row without a newline.
      ended_ = true;
      return at_ == row_ ? Cut::kEnd : Take(row, 0);
    case Stop::kEndOfData:
      return at_end_ && at_ != row_ ? Take(row, 0) : Cut::kMore;
    case Stop::kNotEndMarker:
    case Stop::kError:
      break;
  }
  return error_;
}

// [row_, at_) is the line.
Cut LineCutter::Take(CopyRow* row, size_t newline_bytes) {
  lines_ += 1 + quoted_newlines_;
  row->content = {row_, static_cast<size_t>(at_ - row_)};
  row->bytes = {row_, row->content.size() + newline_bytes};
  row->plain = plain_;
  row->line = lines_;
  at_ += newline_bytes;
  row_ = at_;
  plain_ = true;
  in_quote_ = false;
  after_escape_ = false;
  quoted_newlines_ = 0;
  if (!header_line_) return Cut::kRow;
  header_line_ = false;
  return Cut::kHeader;
}

int LineCutter::Peek(const char* at) const {
  if (at < end_) return static_cast<unsigned char>(*at);
  return at_end_ ? 0 : kUnknownByte;
}

LineCutter::Stop LineCutter::Fail(std::string_view message, std::string_view hint) {
  error_ = BadCopyFormat(message, lines_ + 1 + quoted_newlines_, hint);
  return Stop::kError;
}

LineCutter::Stop LineCutter::ScanText() {
  for (;;) {
    const char* const special = std::min(specials_.From(at_), returns_.From(at_));
    if (const char* newline = FindNewline(at_, special); newline != nullptr) {
      at_ = newline;
      return StopAtNewline();
    }
    at_ = special;
    if (at_ == end_) return Stop::kEndOfData;
    if (*at_ == '\r') return StopAtNewline();
    const int next = Peek(at_ + 1);
    if (next == kUnknownByte) return Stop::kEndOfData;
    plain_ = false;
    if (at_ + 1 == end_) {  // a backslash before the end is data
      ++at_;
      return Stop::kEndOfData;
    }
    if (next == '.') return StopAtEndMarker();
    at_ += 2;
  }
}

LineCutter::Stop LineCutter::ScanCsv() {
  // \. is an end marker only when it is alone on its line: otherwise it is data.
  if (at_ == row_ && at_ != end_ && *at_ == '\\') {
    const int next = Peek(at_ + 1);
    if (next == kUnknownByte) return Stop::kEndOfData;
    if (next == '.') {
      const Stop stop = StopAtEndMarker();
      if (stop != Stop::kNotEndMarker) return stop;
    }
  }
  for (;;) {
    if (in_quote_ && !SkipQuoted()) return Stop::kEndOfData;
    const char* const special = std::min(specials_.From(at_), returns_.From(at_));
    if (const char* newline = FindNewline(at_, special); newline != nullptr) {
      at_ = newline;
      return StopAtNewline();
    }
    at_ = special;
    if (at_ == end_) return Stop::kEndOfData;
    if (*at_ == '\r') return StopAtNewline();
    ++at_;
    in_quote_ = true;
    plain_ = false;
  }
}

// To behind the closing quote; false where the data ends before it. Where quote and escape are the
// same character, a doubled quote closes and opens again, which comes to the same.
bool LineCutter::SkipQuoted() {
  const char newline = style_ == NewlineStyle::kLf ? '\n' : '\r';
  const char* const from = at_;
  if (escape_ == quote_) {
    at_ = specials_.From(at_);
    in_quote_ = at_ == end_;
  } else {
    for (; at_ != end_; ++at_) {
      if (*at_ == escape_) {
        after_escape_ = !after_escape_;
      } else {
        in_quote_ = *at_ != quote_ || after_escape_;
        after_escape_ = false;
        if (!in_quote_) break;
      }
    }
  }
  quoted_newlines_ += std::count(from, at_, newline);
  if (in_quote_) return false;
  ++at_;
  return true;
}

// At a CR or LF that ends the line, unless the lines before ended otherwise.
LineCutter::Stop LineCutter::StopAtNewline() {
  newline_bytes_ = 1;
  if (*at_ == '\n') {
    if (style_ == NewlineStyle::kCr || style_ == NewlineStyle::kCrLf) {
      return csv_ ? Fail("unquoted newline found in data",
                         "Use quoted CSV field to represent newline.")
                  : Fail("literal newline found in data", "Use \"\\n\" to represent newline.");
    }
    style_ = NewlineStyle::kLf;
    return Stop::kNewline;
  }
  if (style_ == NewlineStyle::kCr) return Stop::kNewline;
  const int next = style_ == NewlineStyle::kLf ? 0 : Peek(at_ + 1);
  if (next == kUnknownByte) return Stop::kEndOfData;
  if (next == '\n') {
    style_ = NewlineStyle::kCrLf;
    newline_bytes_ = 2;
  } else if (style_ == NewlineStyle::kUnknown) {
    style_ = NewlineStyle::kCr;
  } else {
    return csv_ ? Fail("unquoted carriage return found in data",
                       "Use quoted CSV field to represent carriage return.")
                : Fail("literal carriage return found in data",
                       "Use \"\\r\" to represent carriage return.");
  }
  return Stop::kNewline;
}

// At "\.".
LineCutter::Stop LineCutter::StopAtEndMarker() {
  const auto corrupt = [this] {
    return csv_ ? Stop::kNotEndMarker : Fail("end-of-copy marker corrupt");
  };
  const auto other_style = [this] {
    return Fail("end-of-copy marker does not match previous newline style");
  };
  const char* at = at_ + 2;
  if (style_ == NewlineStyle::kCrLf) {
    const int first = Peek(at++);
    if (first == kUnknownByte) return Stop::kEndOfData;
    if (first == '\n') return csv_ ? Stop::kNotEndMarker : other_style();
    if (first != '\r') return corrupt();
  }
  const int last = Peek(at);
  if (last == kUnknownByte) return Stop::kEndOfData;
  if (last != '\r' && last != '\n') return corrupt();
  if (style_ != NewlineStyle::kUnknown && (last == '\r') != (style_ == NewlineStyle::kCr)) {
    return other_style();
  }
  return Stop::kEndMarker;
}

}  // namespace meridian
