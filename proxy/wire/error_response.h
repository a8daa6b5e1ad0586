// Reads the fields of an ErrorResponse or NoticeResponse. Every field is optional and unknown ones
// are skipped: servers are untrusted input too (CVE-2026-6666).
#pragma once

#include <string_view>

#include "sharding/sql_status.h"

namespace meridian::wire {

struct ErrorFields {
  std::string_view severity;  // the one that is never translated, where the server sent it
  std::string_view sqlstate;
  std::string_view message;
  std::string_view detail;
  std::string_view hint;
  bool IsFatal() const { return severity == "FATAL" || severity == "PANIC"; }
};

ErrorFields ParseErrorFields(std::string_view body);
SqlError ToSqlError(const ErrorFields& fields);

}  // namespace meridian::wire
