// Cuts COPY data in binary format into its header and its tuples.
//
// Source: PostgreSQL's documentation of COPY, "Binary Format"; ReceiveCopyBinaryHeader and
// NextCopyFrom in src/backend/commands/copyfromparse.c. Pure.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "router/copy/copy_row.h"

namespace meridian {

class BinaryCutter {
 public:
  // What ends the tuples: a field count of -1.
  static constexpr std::string_view kTrailer{"\xff\xff", 2};
  static constexpr int32_t kNullLength = -1;

  explicit BinaryCutter(size_t field_count) : field_count_(field_count) {}

  // As LineCutter's. The data without its trailer is whole too, as it is to PostgreSQL.
  void Begin(std::string_view data, bool at_end);
  // A tuple, or first of all kHeader: the signature, the flags and the header extension.
  absl::StatusOr<Cut> Next(CopyRow* row);
  size_t consumed() const { return consumed_; }

 private:
  absl::StatusOr<Cut> NextHeader(CopyRow* row);
  absl::StatusOr<Cut> NextTuple(CopyRow* row);
  absl::StatusOr<Cut> Incomplete(std::string_view at_end_message) const;
  Cut Take(CopyRow* row, size_t size);

  const size_t field_count_;
  std::string_view data_;
  size_t consumed_ = 0;
  bool at_end_ = false;
  bool header_read_ = false;
  bool ended_ = false;
  uint64_t tuples_ = 0;
};

// Integers in network byte order. Precondition: `bytes` is long enough.
int16_t ReadInt16(std::string_view bytes);
int32_t ReadInt32(std::string_view bytes);

}  // namespace meridian
