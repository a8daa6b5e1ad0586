#include "router/copy/copy_error.h"

#include <fmt/format.h>

#include <string>

#include "router/copy/copy_splitter.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

std::string At(std::string_view message, uint64_t line) {
  return fmt::format("{} (COPY data, line {})", message, line);
}

}  // namespace

absl::Status BadCopyFormat(std::string_view message, uint64_t line, std::string_view hint) {
  return SqlStatus("22P04", At(message, line), std::string(hint));
}

absl::Status CopyRowTooLong(uint64_t line) {
  return SqlStatus(
      sqlstate::kProgramLimitExceeded,
      At(fmt::format("a row is longer than {} MiB", CopySplitter::kMaxRowBytes >> 20), line),
      "Load the row by INSERT, or copy to its shard: SET meridian.shard.");
}

absl::Status NullCopyKey(uint64_t line) {
  return SqlStatus(sqlstate::kNotNullViolation, At("null value in a distribution key column", line),
                   "The key decides which shard holds the row; give it a value.");
}

absl::Status ForeignCopyKey(uint64_t line) {
  return Refused(At("only the server can convert the characters of the distribution key", line),
                 "Copy in the encoding UTF8 or LATIN1.");
}

absl::Status CopyKeyError(const absl::Status& error, uint64_t line) {
  SqlError fields = ToSqlError(error);
  if (error.code() == absl::StatusCode::kUnimplemented) {
    fields.sqlstate = sqlstate::kFeatureNotSupported;
    fields.hint = "Write the key as PostgreSQL prints it (dates and times in ISO style).";
  }
  fields.message = At(fields.message, line);
  return ToStatus(fields);
}

}  // namespace meridian
