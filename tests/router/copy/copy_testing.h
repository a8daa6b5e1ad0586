// What the tests of this folder share: shard maps, and splitting whole streams.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "router/copy/copy_splitter.h"
#include "sharding/shard_map.h"
#include "sharding/sql_status.h"

namespace meridian {

// A map of shards s0, s1, ... with one distribution of these columns, whose ranges start at
// MINVALUE and at the bounds, and belong to the shards in turn.
inline std::shared_ptr<const ShardMap> MapOf(const std::vector<KeyColumn>& columns,
                                             const std::vector<KeyTuple>& bounds) {
  std::vector<Shard> shards;
  std::vector<KeyRange> ranges;
  for (size_t i = 0; i <= bounds.size(); ++i) {
    shards.push_back({"s" + std::to_string(i), {{"s" + std::to_string(i), 5432}}, ""});
    ranges.push_back({"r" + std::to_string(i),
                      {i == 0 ? KeyTuple() : bounds[i - 1]},
                      ShardIndex{static_cast<uint16_t>(i)}});
  }
  auto distribution = Distribution::Build("d", columns, std::move(ranges));
  return *ShardMap::Build(Epoch{1}, std::move(shards), {*std::move(distribution)}, {});
}

// Three shards: below 100, below 200, and the rest.
inline std::shared_ptr<const ShardMap> BigintMap() {
  return MapOf({{KeyType::kBigint, false}},
               {KeyTuple{KeyValue(int64_t{100})}, KeyTuple{KeyValue(int64_t{200})}});
}

struct SplitResult {
  absl::Status status;
  std::map<int, std::string> by_shard;  // the concatenated pieces
  std::string header;
  std::string trailer;
  uint64_t rows = 0;

  std::string sqlstate() const { return status.ok() ? "" : ToSqlError(status).sqlstate; }
};

// Feeds `data` in chunks of `chunk_bytes` (0: all at once).
inline SplitResult SplitCopy(const CopySpec& spec, const std::shared_ptr<const ShardMap>& map,
                             std::string_view data, size_t chunk_bytes = 0) {
  SplitResult result;
  CopySplitter splitter(spec, map, ClientEncoding::kUtf8);
  const auto step = [&](auto&& call) {
    std::vector<CopySplitter::Piece> pieces;
    if (result.status.ok()) result.status = call(&pieces);
    for (const CopySplitter::Piece& piece : pieces) {
      result.by_shard[piece.shard.value] += piece.bytes;
    }
  };
  if (chunk_bytes == 0) chunk_bytes = data.size() + 1;
  for (size_t at = 0; at < data.size(); at += chunk_bytes) {
    // A copy, so that a view kept too long is seen by the sanitizer.
    const std::string chunk(data.substr(at, chunk_bytes));
    step([&](auto* pieces) { return splitter.Feed(chunk, pieces); });
  }
  step([&](auto* pieces) { return splitter.Finish(pieces); });
  result.header = splitter.Header();
  result.trailer = splitter.Trailer();
  result.rows = splitter.rows();
  return result;
}

}  // namespace meridian
