// Random streams under random options: the splitter must give the same rows however the stream is
// cut, and nothing but runs of the stream's own bytes, in order.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "router/copy/copy_splitter.h"
#include "tests/fuzz/fuzz.h"
#include "tests/router/copy/copy_testing.h"

namespace meridian {
namespace {

[[noreturn]] void Fail(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  std::abort();
}

// The first bytes of an input choose the options.
constexpr size_t kOptionBytes = 4;

CopySpec SpecOf(std::string_view options) {
  CopySpec spec;
  spec.format = static_cast<CopyFormat>(static_cast<unsigned char>(options[0]) % 3);
  spec.field_count = 2;
  spec.key_fields = {static_cast<size_t>(options[1] & 1)};
  spec.header = (options[1] & 2) != 0;
  constexpr ClientEncoding kEncodings[] = {ClientEncoding::kUtf8, ClientEncoding::kSqlAscii,
                                           ClientEncoding::kLatin1, ClientEncoding::kEucJp};
  spec.encoding = kEncodings[static_cast<unsigned char>(options[1]) >> 6];
  if (spec.format == CopyFormat::kCsv) {
    spec.delimiter = ',';
    spec.null_text = (options[1] & 4) != 0 ? "7" : "";
    spec.quote = options[2];
    spec.escape = options[3];
    spec.force_null = {(options[1] & 8) != 0};
    spec.force_not_null = {(options[1] & 16) != 0};
  }
  return spec;
}

// That the pieces are runs of the stream, in its order.
void CheckRuns(const CopySpec& spec, std::string_view data) {
  static const auto map = BigintMap();
  CopySplitter splitter(spec, map, ClientEncoding::kUtf8);
  std::vector<CopySplitter::Piece> pieces;
  size_t behind = 0;
  if (!splitter.Feed(data, &pieces).ok()) return;
  for (const CopySplitter::Piece& piece : pieces) {
    const size_t at = piece.bytes.data() - data.data();
    if (at < behind || at + piece.bytes.size() > data.size() || piece.bytes.empty()) {
      Fail("a piece is no run of the stream");
    }
    behind = at + piece.bytes.size();
  }
}

void Check(std::string_view options, std::string_view data) {
  static const auto map = BigintMap();
  const CopySpec spec = SpecOf(options);
  CheckRuns(spec, data);
  const SplitResult whole = SplitCopy(spec, map, data);
  const size_t chunk_bytes = 1 + static_cast<unsigned char>(options[0]) / 3 % 20;
  const SplitResult cut = SplitCopy(spec, map, data, chunk_bytes);
  if (cut.status != whole.status) Fail("the cut decides about the error");
  if (cut.header != whole.header) Fail("the cut decides about the header");
  if (whole.status.ok() && (cut.by_shard != whole.by_shard || cut.rows != whole.rows)) {
    Fail("the cut decides about the rows");
  }
}

}  // namespace
}  // namespace meridian

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  if (size < meridian::kOptionBytes) return 0;
  const std::string_view view(input);
  meridian::Check(view.substr(0, meridian::kOptionBytes), view.substr(meridian::kOptionBytes));
  return 0;
}

std::vector<std::string> FuzzSeeds() {
  const std::string binary_header("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  const std::string tuple("\0\2\0\0\0\x08\0\0\0\0\0\0\0\x96\0\0\0\1a", 19);
  std::vector<std::string> seeds = {
      std::string("\0\0..", 4) + "1\ta\n150\tb\\\n\n\\N\\x41\tc\\.\n",
      std::string("\3\1..", 4) + "a\\\tb\t1\r\nc\t250\r\n\\.\r\n1",
      std::string("\6\2..", 4) + "k\tv\r1\ta\r150\tb\r",
      std::string("\1\0\"\"", 4) + "1,\"a\n\"\"b\"\n\"150\",c\n\\.\n2,d\n",
      std::string("\x31\x1f'\\", 4) + "k,v\n'a\\'\n,',1\n\\.x,'7'\n",
      std::string("\2\0..", 4) + binary_header + tuple + tuple + "\xff\xff",
  };
  return seeds;
}
