// Cuts COPY data in text or CSV format into lines, one per row.
//
// Does what CopyReadLineText does (PostgreSQL 15: src/backend/commands/copyfromparse.c):
// backslashes and quotes that hide a newline, the newline style that the first line sets for all,
// and the end marker \. Reads each byte once, however the data is cut into calls. Pure.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "router/copy/byte_finder.h"
#include "router/copy/copy_row.h"
#include "router/copy/copy_spec.h"

namespace meridian {

class LineCutter {
 public:
  explicit LineCutter(const CopySpec& spec);

  // The data to cut: what the rows so far did not take, and what came behind it. `at_end`: nothing
  // follows it.
  void Begin(std::string_view data, bool at_end);
  // The next line. Errors: 22P04, PostgreSQL's; then only destruction.
  absl::StatusOr<Cut> Next(CopyRow* row);
  // The bytes of the data that the rows took.
  size_t consumed() const { return row_ - data_; }

 private:
  enum class NewlineStyle : uint8_t { kUnknown, kLf, kCr, kCrLf };
  // What the scan of a line stopped at.
  enum class Stop : uint8_t { kNewline, kEndMarker, kNotEndMarker, kEndOfData, kError };
  static constexpr int kUnknownByte = -1;

  Stop ScanText();
  Stop ScanCsv();
  bool SkipQuoted();
  Stop StopAtNewline();
  Stop StopAtEndMarker();
  Stop Fail(std::string_view message, std::string_view hint = {});
  Cut Take(CopyRow* row, size_t newline_bytes);
  // The byte at `at`: 0 behind the last one, kUnknownByte where more may come.
  int Peek(const char* at) const;

  const bool csv_;
  const char quote_;
  const char escape_;
  bool header_line_;
  NewlineStyle style_ = NewlineStyle::kUnknown;
  uint64_t lines_ = 0;
  bool ended_ = false;
  absl::Status error_;

  // Of the data: data_ <= row_ <= at_ <= end_
  const char* data_ = nullptr;
  const char* row_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool at_end_ = false;
  ByteFinder specials_;  // backslash (text), quote (CSV)
  ByteFinder returns_;

  // Of the line that row_ starts
  bool plain_ = true;
  bool in_quote_ = false;
  bool after_escape_ = false;
  uint64_t quoted_newlines_ = 0;
  size_t newline_bytes_ = 0;
};

}  // namespace meridian
