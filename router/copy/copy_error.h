// The errors of reading COPY data: PostgreSQL's words and SQLSTATEs, and where in the data.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string_view>

namespace meridian {

// 22P04 (bad_copy_file_format). Lines (rows, in the binary format) count from 1, as in PostgreSQL's
// context of the error.
absl::Status BadCopyFormat(std::string_view message, uint64_t line, std::string_view hint = {});
// 54000: a row longer than CopySplitter::kMaxRowBytes.
absl::Status CopyRowTooLong(uint64_t line);
// 23502: no shard owns a row whose key is NULL.
absl::Status NullCopyKey(uint64_t line);
// 0A000: a key with characters of an encoding that only servers can convert.
absl::Status ForeignCopyKey(uint64_t line);
// An error of a key's value, with the line added; kUnimplemented becomes 0A000.
absl::Status CopyKeyError(const absl::Status& error, uint64_t line);

}  // namespace meridian
