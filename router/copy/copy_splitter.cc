#include "router/copy/copy_splitter.h"

#include <absl/status/statusor.h>

#include <utility>
#include <variant>

#include "router/copy/binary_cutter.h"
#include "router/copy/copy_error.h"
#include "router/copy/copy_row.h"
#include "router/copy/key_fields.h"
#include "router/copy/line_cutter.h"
#include "router/copy/row_locator.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// A buffer that one long row made larger than this is given back.
constexpr size_t kKeptBufferBytes = 1 << 20;

// PostgreSQL lets a newline be a quote, or the backslash that starts the end marker. What a line is
// then may depend on the lines before it, which a shard does not see.
bool IsReadable(const CopySpec& spec) {
  constexpr std::string_view kNewlines = "\r\n";
  return spec.format != CopyFormat::kCsv ||
         (spec.quote != '\\' && kNewlines.find(spec.quote) == std::string_view::npos &&
          kNewlines.find(spec.escape) == std::string_view::npos);
}

}  // namespace

class CopySplitter::Impl {
 public:
  Impl(const CopySpec& spec, std::shared_ptr<const ShardMap> map, ClientEncoding client_encoding)
      : spec_(spec),
        encoding_(spec.format == CopyFormat::kBinary ? client_encoding
                                                     : spec.encoding.value_or(client_encoding)),
        lines_(spec),
        tuples_(spec.field_count),
        key_fields_(spec),
        locator_(std::move(map), spec.distribution, spec.format == CopyFormat::kBinary,
                 spec.modifiers) {}

  absl::Status Feed(std::string_view bytes, bool at_end, std::vector<Piece>* pieces);

  std::string_view header() const { return header_; }
  bool binary() const { return spec_.format == CopyFormat::kBinary; }
  uint64_t rows() const { return rows_; }

 private:
  template <typename Cutter>
  absl::StatusOr<size_t> Split(Cutter* cutter, std::string_view data, bool at_end,
                               std::vector<Piece>* pieces);
  absl::Status AddRow(const CopyRow& row, size_t first_piece, std::vector<Piece>* pieces);
  void DropConsumed();

  const CopySpec spec_;
  const ClientEncoding encoding_;
  LineCutter lines_;
  BinaryCutter tuples_;
  KeyFields key_fields_;
  RowLocator locator_;
  std::string header_;
  std::string converted_;  // scratch
  uint64_t rows_ = 0;
  bool ended_ = false;
  // Bytes of a row that is not whole yet; before them, `consumed_` bytes that pieces of the last
  // call view.
  std::string buffer_;
  size_t consumed_ = 0;
};

absl::Status CopySplitter::Impl::Feed(std::string_view bytes, bool at_end,
                                      std::vector<Piece>* pieces) {
  if (!IsReadable(spec_)) {
    return Refused(
        "COPY into a sharded table with a newline or backslash as QUOTE is not supported",
        "Use another QUOTE, and no newline as ESCAPE.");
  }
  if (ended_ && !binary()) return absl::OkStatus();  // PostgreSQL ignores what follows \. too
  DropConsumed();
  const bool in_place = buffer_.empty();
  if (!in_place) buffer_.append(bytes);
  const std::string_view data = in_place ? bytes : buffer_;
  const absl::StatusOr<size_t> consumed =
      binary() ? Split(&tuples_, data, at_end, pieces) : Split(&lines_, data, at_end, pieces);
  if (!consumed.ok()) return consumed.status();
  if (data.size() - *consumed > kMaxRowBytes) return CopyRowTooLong(rows_ + 1);
  if (in_place) {
    buffer_.assign(data.substr(*consumed));
  } else {
    consumed_ = *consumed;
  }
  return absl::OkStatus();
}

void CopySplitter::Impl::DropConsumed() {
  if (consumed_ == 0) return;
  if (buffer_.capacity() > kKeptBufferBytes) {
    buffer_ = std::string(buffer_, consumed_);
  } else {
    buffer_.erase(0, consumed_);
  }
  consumed_ = 0;
}

template <typename Cutter>
absl::StatusOr<size_t> CopySplitter::Impl::Split(Cutter* cutter, std::string_view data, bool at_end,
                                                 std::vector<Piece>* pieces) {
  const size_t first_piece = pieces->size();
  cutter->Begin(data, at_end);
  for (;;) {
    CopyRow row;
    const absl::StatusOr<Cut> cut = cutter->Next(&row);
    if (!cut.ok()) return cut.status();
    switch (*cut) {
      case Cut::kHeader:
        header_.assign(row.bytes);
        break;
      case Cut::kRow:
        if (absl::Status status = AddRow(row, first_piece, pieces); !status.ok()) return status;
        break;
      case Cut::kMore:
        return cutter->consumed();
      case Cut::kEnd:
        ended_ = true;
        return data.size();
    }
  }
}

absl::Status CopySplitter::Impl::AddRow(const CopyRow& row, size_t first_piece,
                                        std::vector<Piece>* pieces) {
  if (row.bytes.size() > kMaxRowBytes) return CopyRowTooLong(row.line);
  // A server converts a line before it reads escapes, whose bytes are in the database's encoding
  // already; of a binary row, the text that a receive function gets.
  CopyRow readable = row;
  ClientEncoding encoding = encoding_;
  if (!binary()) {
    if (const auto content = ToUtf8(encoding_, row.content, &converted_)) {
      readable.content = *content;
      encoding = ClientEncoding::kUtf8;
    }
  }
  if (absl::Status status = key_fields_.Read(readable); !status.ok()) return status;
  const absl::StatusOr<ShardIndex> shard =
      locator_.Locate(key_fields_.fields(), encoding, row.line);
  if (!shard.ok()) return shard.status();
  ++rows_;
  if (pieces->size() > first_piece) {
    Piece& last = pieces->back();
    if (last.shard == *shard && last.bytes.data() + last.bytes.size() == row.bytes.data()) {
      last.bytes = {last.bytes.data(), last.bytes.size() + row.bytes.size()};
      return absl::OkStatus();
    }
  }
  pieces->push_back({*shard, row.bytes});
  return absl::OkStatus();
}

CopySplitter::CopySplitter(const CopySpec& spec, std::shared_ptr<const ShardMap> map,
                           ClientEncoding client_encoding)
    : impl_(std::make_unique<Impl>(spec, std::move(map), client_encoding)) {}

CopySplitter::~CopySplitter() = default;

absl::Status CopySplitter::Feed(std::string_view bytes, std::vector<Piece>* pieces) {
  return impl_->Feed(bytes, false, pieces);
}

absl::Status CopySplitter::Finish(std::vector<Piece>* pieces) {
  return impl_->Feed({}, true, pieces);
}

std::string_view CopySplitter::Header() const { return impl_->header(); }

std::string_view CopySplitter::Trailer() const {
  return impl_->binary() ? BinaryCutter::kTrailer : std::string_view();
}

uint64_t CopySplitter::rows() const { return impl_->rows(); }

}  // namespace meridian
