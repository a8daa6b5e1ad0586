// How fast COPY data is split. Aim: at least 300 MB/s for text rows with an integer key in front.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "router/copy/copy_splitter.h"
#include "tests/router/copy/copy_testing.h"

namespace meridian {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
constexpr int kRows = 100000;

std::shared_ptr<const ShardMap> Hashed() {
  return MapOf({{KeyType::kBigint, true}},
               {KeyTuple{KeyValue(int64_t{-1} << 62)}, KeyTuple{KeyValue(int64_t{0})},
                KeyTuple{KeyValue(int64_t{1} << 62)}});
}

// Rows of about 90 bytes, as pgbench_accounts has them.
std::string Rows(char delimiter, std::string_view filler) {
  std::string data;
  for (int i = 0; i < kRows; ++i) {
    data += std::to_string(i) + delimiter + "1" + delimiter + "0" + delimiter;
    data += filler;
    data += '\n';
  }
  return data;
}

void Split(benchmark::State& state, CopyFormat format, const std::string& filler, size_t key) {
  CopySpec spec;
  spec.format = format;
  spec.key_fields = {key};
  spec.field_count = 4;
  if (format == CopyFormat::kCsv) {
    spec.delimiter = ',';
    spec.null_text = "";
  }
  const std::string data = Rows(spec.delimiter, filler);
  const auto map = Hashed();
  std::vector<CopySplitter::Piece> pieces;
  for (auto _ : state) {
    CopySplitter splitter(spec, map, ClientEncoding::kUtf8);
    for (size_t at = 0; at < data.size(); at += kChunkBytes) {
      pieces.clear();
      if (!splitter.Feed(std::string_view(data).substr(at, kChunkBytes), &pieces).ok()) {
        state.SkipWithError("refused");
        break;
      }
      benchmark::DoNotOptimize(pieces.data());
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * data.size()));
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK_CAPTURE(Split, text, CopyFormat::kText, std::string(84, ' '), 0);
BENCHMARK_CAPTURE(Split, text_third_field, CopyFormat::kText, std::string(84, ' '), 2);
BENCHMARK_CAPTURE(Split, text_with_nulls, CopyFormat::kText, "\\N" + std::string(82, 'x'), 0);
BENCHMARK_CAPTURE(Split, text_long_rows, CopyFormat::kText, std::string(1000, 'x'), 0);
BENCHMARK_CAPTURE(Split, csv, CopyFormat::kCsv, std::string(84, ' '), 0);
BENCHMARK_CAPTURE(Split, csv_quoted, CopyFormat::kCsv, '"' + std::string(82, 'x') + '"', 0);

}  // namespace
}  // namespace meridian
