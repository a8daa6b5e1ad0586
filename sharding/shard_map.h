// The shard map: which shard owns which keys, an immutable value with an epoch.
//
// Pure. Built once by ShardMap::Build from the catalog's rows, then shared by all threads through
// std::shared_ptr<const ShardMap>; nothing changes after Build. Indexes into it are valid for that
// map only.
#pragma once

#include <absl/container/inlined_vector.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sharding/key_value.h"
#include "sharding/lsn.h"
#include "sharding/quote.h"
#include "sharding/shard_set.h"
#include "sharding/string_map.h"

namespace meridian {

// Grows by one with each change of the catalog. 0: no catalog read yet.
struct Epoch {
  uint64_t value = 0;
  friend auto operator<=>(Epoch, Epoch) = default;
};

// One PostgreSQL server. A host that starts with '/' is a directory of unix sockets.
struct NodeAddress {
  std::string host;
  uint16_t port = 5432;
  friend auto operator<=>(const NodeAddress&, const NodeAddress&) = default;
  std::string ToString() const;  // host:port
};
// "host:port", "host" (5432), "[v6]:port", "/dir:port". 22023 on anything else.
absl::StatusOr<NodeAddress> ParseNodeAddress(std::string_view text);

struct Shard {
  std::string name;
  std::vector<NodeAddress> nodes;  // roles are observed, never configured
  std::string dbname;              // empty: the database that the client named
  int number = 0;                  // of this shard alone, for ever; at most kMaxShardNumber
};

// One component of a key space: the column's value, or its hash.
struct KeyColumn {
  KeyType type = KeyType::kBigint;
  bool hashed = false;
  friend bool operator==(const KeyColumn&, const KeyColumn&) = default;
  // The type of the component's values: bigint where hashed.
  KeyType space_type() const { return hashed ? KeyType::kBigint : type; }
};

using KeyTuple = absl::InlinedVector<KeyValue, 2>;
using KeyTupleView = absl::Span<const KeyValue>;

// A cut in a key space: the first `values.size()` components; what is left out is the lowest. An
// empty bound is the lowest key of all (MINVALUE).
struct KeyBound {
  KeyTuple values;
  bool is_min() const { return values.empty(); }
};

// Lexicographic by Compare(KeyValue); a shorter bound is lower than each of its extensions.
int Compare(KeyTupleView a, KeyTupleView b);

// Of a range on the move: its rows are, or may be, on another shard as well.
struct RangeMove {
  ShardIndex peer;      // that shard
  bool held = false;    // no statement may begin to use it
  Lsn complete_at = 0;  // replicas of the owner lack rows of it until they have replayed this

  friend bool operator==(const RangeMove&, const RangeMove&) = default;
};

// [lower, the next range's lower), owned by one shard.
struct KeyRange {
  std::string name;
  KeyBound lower;
  ShardIndex owner;
  std::optional<RangeMove> move = std::nullopt;
  MovingSet moving = 0;  // its bit, if `move`; given by ShardMap::Build

  ShardSet Owner() const { return ShardSet::Of(owner, moving); }
};

// An end of an interval of a key space, in components (hashes where hashed); absent: unbounded.
struct IntervalEnd {
  KeyTuple values;
  bool inclusive = true;
};

class Distribution {
 public:
  // Ranges must be sorted by lower bound, start with MINVALUE, and have distinct bounds and names.
  // An empty list is allowed: a distribution that owns nothing yet. 22023 with the reason
  // otherwise.
  static absl::StatusOr<Distribution> Build(std::string name, std::vector<KeyColumn> columns,
                                            std::vector<KeyRange> ranges);

  const std::string& name() const { return name_; }
  const std::vector<KeyColumn>& columns() const { return columns_; }
  const std::vector<KeyRange>& ranges() const { return ranges_; }

  // The component of the key space for the value of key column `column` (its hash where hashed).
  KeyValue ToSpace(size_t column, KeyValue value) const;

  // The range that holds the point; `point` has one component per column. Precondition: ranges().
  const KeyRange& Locate(KeyTupleView point) const;
  // The owners of all keys whose components start with `prefix` (may be empty: all owners).
  ShardSet OwnersOfPrefix(KeyTupleView prefix) const;
  // The owners of all keys between the ends, compared by the components that an end has: an
  // inclusive upper end of ("a") takes in every key that starts with "a". Of an empty interval: no
  // owner, or one where both ends lie in its range.
  ShardSet OwnersOfInterval(const std::optional<IntervalEnd>& lower,
                            const std::optional<IntervalEnd>& upper) const;
  ShardSet AllOwners() const { return all_owners_; }
  // Gives the ranges on the move the bits from `first` on; how many there are.
  size_t NumberMoving(size_t first);
  // The upper bound of ranges()[index], or nullptr for the last.
  const KeyBound* UpperOf(size_t index) const;

 private:
  // The last range whose lower bound is not above `key`, a point or a prefix. Precondition:
  // ranges().
  size_t IndexOf(KeyTupleView key) const;
  // The first range that is above every key that starts with `prefix`, or ranges().size().
  size_t EndOfPrefix(KeyTupleView prefix) const;
  ShardSet OwnersOf(size_t begin, size_t end) const;

  std::string name_;
  std::vector<KeyColumn> columns_;
  std::vector<KeyRange> ranges_;
  ShardSet all_owners_;
  // The first component of each range's lower bound, where it is an int64_t (else empty); the
  // lowest int64_t for MINVALUE. Locate searches it instead of the tuples.
  std::vector<int64_t> first_components_;
};

struct TableName {
  std::string schema;
  std::string name;
  friend auto operator<=>(const TableName&, const TableName&) = default;
  std::string ToString() const;  // quoted as SQL where needed: public.orders, "Odd"."Name"
};

// A table that the map knows. Any other table is local: it lives on the default shard.
struct MappedTable {
  enum class Kind : uint8_t { kSharded, kReference };
  TableName name;
  Kind kind = Kind::kReference;
  size_t distribution = 0;               // index into ShardMap::distributions(); kSharded only
  std::vector<std::string> key_columns;  // one per column of the distribution; kSharded only
};

// Rows of [lower, upper) may be on a shard that does not own them: they are on their way there, or
// were left behind. No statement may see them.
struct StrayRows {
  ShardIndex shard;
  size_t distribution = 0;  // index into ShardMap::distributions()
  KeyBound lower;
  std::optional<KeyBound> upper;  // nullopt: none
};

// A key range on the move: distributions()[distribution].ranges()[range].
struct MovingRange {
  size_t distribution = 0;
  size_t range = 0;
};

class ShardMap {
 public:
  // Checks what the catalog promises: names distinct, indexes in range, one key column per column
  // of the distribution, no stray rows where the shard is their owner. The first shard is the
  // default shard. 22023 with the reason otherwise.
  static absl::StatusOr<std::shared_ptr<const ShardMap>> Build(
      Epoch epoch, std::vector<Shard> shards, std::vector<Distribution> distributions,
      std::vector<MappedTable> tables, std::vector<StrayRows> strays = {});

  Epoch epoch() const { return epoch_; }
  const std::vector<Shard>& shards() const { return shards_; }
  const std::vector<Distribution>& distributions() const { return distributions_; }
  const std::vector<MappedTable>& tables() const { return tables_; }
  const std::vector<StrayRows>& strays() const { return strays_; }
  ShardSet ShardsWithStrays() const { return shards_with_strays_; }
  const std::vector<MovingRange>& moving() const { return moving_; }
  const KeyRange& range(MovingRange at) const {
    return distributions_[at.distribution].ranges()[at.range];
  }
  // Those that are held.
  MovingSet held() const { return held_; }
  // Those of which the shard is owner or peer.
  MovingSet MovingAt(ShardIndex shard) const;
  // Replicas of the shard that have not replayed it lack rows which the shard owns.
  Lsn CompleteAt(ShardIndex shard) const;
  ShardSet AllShards() const { return ShardSet::FirstN(shards_.size()); }
  static constexpr ShardIndex kDefaultShard{0};

  const Shard& shard(ShardIndex index) const { return shards_[index.value]; }
  std::optional<ShardIndex> FindShard(std::string_view name) const;
  const Distribution* FindDistribution(std::string_view name) const;
  // nullptr: a local table (or none at all).
  const MappedTable* FindTable(std::string_view schema, std::string_view name) const;

 private:
  void FindMoving();

  Epoch epoch_;
  std::vector<Shard> shards_;
  std::vector<Distribution> distributions_;
  std::vector<MappedTable> tables_;
  std::vector<StrayRows> strays_;
  ShardSet shards_with_strays_;
  std::vector<MovingRange> moving_;
  MovingSet held_ = 0;
  StringMap<ShardIndex> shard_by_name_;
  StringMap<size_t> distribution_by_name_;
  StringMap<StringMap<size_t>> table_by_schema_and_name_;
};

}  // namespace meridian
