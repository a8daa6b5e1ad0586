#include "router/copy/binary_cutter.h"

#include <fmt/format.h>

#include "router/copy/copy_error.h"
#include "router/copy/copy_splitter.h"

namespace meridian {
namespace {

constexpr std::string_view kSignature{"PGCOPY\n\377\r\n\0", 11};
constexpr size_t kFlagsAt = kSignature.size();
constexpr size_t kExtensionLengthAt = kFlagsAt + 4;
constexpr size_t kExtensionAt = kExtensionLengthAt + 4;
// Bits 16 to 31 of the flags are critical: a reader must know them. Bit 16 said WITH OIDS.
constexpr int kOidsBit = 16;
constexpr int kFirstUnknownBit = 17;

uint32_t ReadUnsigned(std::string_view bytes, size_t count) {
  uint32_t value = 0;
  for (const char c : bytes.substr(0, count)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

int16_t ReadInt16(std::string_view bytes) { return static_cast<int16_t>(ReadUnsigned(bytes, 2)); }
int32_t ReadInt32(std::string_view bytes) { return static_cast<int32_t>(ReadUnsigned(bytes, 4)); }

void BinaryCutter::Begin(std::string_view data, bool at_end) {
  data_ = data;
  consumed_ = 0;
  at_end_ = at_end;
}

absl::StatusOr<Cut> BinaryCutter::Next(CopyRow* row) {
  if (!header_read_) return NextHeader(row);
  if (!ended_) return NextTuple(row);
  if (consumed_ == data_.size()) return Cut::kEnd;
  return BadCopyFormat("received copy data after EOF marker", tuples_ + 1);
}

absl::StatusOr<Cut> BinaryCutter::Incomplete(std::string_view at_end_message) const {
  if (!at_end_) return Cut::kMore;
  return BadCopyFormat(at_end_message, tuples_ + 1);
}

Cut BinaryCutter::Take(CopyRow* row, size_t size) {
  row->bytes = data_.substr(consumed_, size);
  row->line = tuples_;
  consumed_ += size;
  return header_read_ ? Cut::kRow : Cut::kHeader;
}

absl::StatusOr<Cut> BinaryCutter::NextHeader(CopyRow* row) {
  const std::string_view data = data_.substr(consumed_);
  const size_t known = std::min(data.size(), kSignature.size());
  if (data.substr(0, known) != kSignature.substr(0, known)) {
    return BadCopyFormat("COPY file signature not recognized", 1);
  }
  if (data.size() < kFlagsAt) return Incomplete("COPY file signature not recognized");
  if (data.size() < kExtensionLengthAt)
    return Incomplete("invalid COPY file header (missing flags)");
  const uint32_t flags = ReadInt32(data.substr(kFlagsAt));
  if ((flags >> kOidsBit & 1) != 0) {
    return BadCopyFormat("invalid COPY file header (WITH OIDS)", 1);
  }
  if (flags >> kFirstUnknownBit != 0) {
    return BadCopyFormat("unrecognized critical flags in COPY file header", 1);
  }
  if (data.size() < kExtensionAt) return Incomplete("invalid COPY file header (missing length)");
  const int32_t extension = ReadInt32(data.substr(kExtensionLengthAt));
  if (extension < 0) return BadCopyFormat("invalid COPY file header (missing length)", 1);
  const size_t size = kExtensionAt + extension;
  if (size > CopySplitter::kMaxRowBytes) return CopyRowTooLong(1);
  if (data.size() < size) return Incomplete("invalid COPY file header (wrong length)");
  const Cut cut = Take(row, size);
  header_read_ = true;
  return cut;
}

absl::StatusOr<Cut> BinaryCutter::NextTuple(CopyRow* row) {
  const std::string_view data = data_.substr(consumed_);
  if (data.size() < 2)
    return Cut::kMore;  // at the end: PostgreSQL takes it for one without trailer
  const int16_t count = ReadInt16(data);
  if (count == -1) {
    ended_ = true;
    consumed_ += 2;
    return Next(row);
  }
  if (count < 0 || static_cast<size_t>(count) != field_count_) {
    return BadCopyFormat(fmt::format("row field count is {}, expected {}", count, field_count_),
                         tuples_ + 1);
  }
  size_t size = 2;
  for (size_t field = 0; field < field_count_; ++field) {
    if (data.size() < size + 4) return Incomplete("unexpected EOF in COPY data");
    const int32_t length = ReadInt32(data.substr(size));
    if (length < kNullLength) return BadCopyFormat("invalid field size", tuples_ + 1);
    size += 4 + (length == kNullLength ? 0 : length);
    if (size > CopySplitter::kMaxRowBytes) return CopyRowTooLong(tuples_ + 1);
  }
  if (data.size() < size) return Incomplete("unexpected EOF in COPY data");
  ++tuples_;
  const Cut cut = Take(row, size);
  row->content = row->bytes.substr(2);
  return cut;
}

}  // namespace meridian
