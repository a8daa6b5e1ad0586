// Cuts the byte stream of COPY ... FROM STDIN into rows and finds the shard of each row.
//
// Pure. The stream is cut as PostgreSQL 15 cuts it (src/backend/commands/copyfromparse.c:
// CopyReadLineText, CopyReadAttributesText, CopyReadAttributesCSV; binary header and tuples):
// CopyData messages may be cut anywhere. Rows are not changed: what a shard gets is a concatenation
// of the client's own bytes, with the header in front for each shard and the binary trailer behind.
// Only key fields are read: whatever else is wrong with a row, its shard finds out, and the COPY
// fails as a whole. Keys beyond ASCII are read where ToUtf8 knows their encoding.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "router/copy/copy_spec.h"
#include "sharding/shard_map.h"

namespace meridian {

class CopySplitter {
 public:
  // A run of whole rows for one shard, in the order of the input. Views into the bytes given to
  // Feed or into the splitter's own buffer: valid until the next call.
  struct Piece {
    ShardIndex shard;
    std::string_view bytes;
  };

  // A row longer than this is an error (54000): a hostile stream must not fill memory.
  static constexpr size_t kMaxRowBytes = 64 << 20;

  // `client_encoding`: the session's, not one that EmbedsAscii. The spec's goes before it, but for
  // the binary format, where PostgreSQL does not look at the option.
  CopySplitter(const CopySpec& spec, std::shared_ptr<const ShardMap> map,
               ClientEncoding client_encoding);
  ~CopySplitter();

  // Appends the pieces of all rows that `bytes` completes. Adjacent rows of one shard are one
  // piece. Errors carry SQLSTATE and a message with the line number: 23502 for a NULL key, 22P04
  // bad file format, 22P02... bad key text, 0A000 for a key text that only the server could read.
  // After an error only destruction.
  absl::Status Feed(std::string_view bytes, std::vector<Piece>* pieces);
  // The stream ended (CopyDone): the last row may lack its newline; a binary stream without trailer
  // is an error if PostgreSQL says so.
  absl::Status Finish(std::vector<Piece>* pieces);

  // What a shard must get before its first piece and after its last one: the binary header and
  // trailer, the header line (text, CSV). The header is known when Feed has read it; pieces come
  // only after that. Where no shard gets a piece, one must get header and trailer all the same, so
  // that a server checks the statement and the header.
  std::string_view Header() const;
  std::string_view Trailer() const;

  uint64_t rows() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace meridian
