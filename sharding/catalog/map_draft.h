// The shard map as an editable value: names instead of indexes, no invariants yet.
//
// Pure. Admin commands are functions on a draft; the catalog stores the difference between two
// drafts; ShardMap::Build decides whether a draft may become the map.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/shard_map.h"

namespace meridian {

struct DraftRangeMove {
  std::string peer;  // a shard's name
  bool held = false;
  Lsn complete_at = 0;
};

struct DraftRange {
  std::string name;  // unique over all distributions
  KeyBound lower;
  std::string owner;  // a shard's name
  std::optional<DraftRangeMove> move = std::nullopt;
};

struct DraftDistribution {
  std::string name;
  std::vector<KeyColumn> columns;
  std::vector<DraftRange> ranges;  // sorted by lower bound
};

struct DraftTable {
  TableName name;
  MappedTable::Kind kind = MappedTable::Kind::kReference;
  std::string distribution;              // kSharded only
  std::vector<std::string> key_columns;  // kSharded only
};

struct DraftStrays {
  std::string shard;
  std::string distribution;
  KeyBound lower;
  std::optional<KeyBound> upper;
};

struct MapDraft {
  std::vector<Shard> shards;  // the first is the default shard
  std::vector<DraftDistribution> distributions;
  std::vector<DraftTable> tables;
  std::vector<DraftStrays> strays;

  // nullptr: there is none.
  Shard* FindShard(std::string_view name);
  DraftDistribution* FindDistribution(std::string_view name);
  DraftTable* FindTable(const TableName& name);
};

MapDraft DraftOf(const ShardMap& map);
// 22023 with the reason where the draft is not a valid map.
absl::StatusOr<std::shared_ptr<const ShardMap>> BuildMap(Epoch epoch, const MapDraft& draft);

}  // namespace meridian
