// Where one execution of a statement goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/shard_set.h"

namespace meridian {

enum class Route : uint8_t {
  kSession,  // no shard needed: BEGIN, COMMIT, SET, DISCARD, ...: the session decides
  kAny,      // every shard would answer the same: the one at hand
  kOne,      // this shard, text untouched
  kConcat,   // a read: each shard answers for its rows, in any order
  kEvery,    // the same write on each of the shards, atomically; its count is that of one of them
             // (reference tables, DDL)
  kSum,    // the same write on each of the shards, atomically; its count is the sum (UPDATE, DELETE
           // without key)
  kSplit,  // an INSERT of several rows: each shard gets its rows (Router::SplitInsert), atomically;
           // counts are added
  kCopySplit,  // COPY FROM: each row to the shard of its key, atomically
};
std::string_view RouteName(Route route);

struct Decision {
  Route route = Route::kAny;
  ShardSet shards;  // kOne: exactly one; kSession, kAny: empty
};

// What the session wants, or already has.
struct RouteHints {
  // SET meridian.shard, or the shard of SET meridian.distribution_key: everything goes there.
  std::optional<ShardIndex> shard;
  // Inside of a transaction block, the implicit one of several statements in a Query included.
  bool in_transaction = true;
};

// One shard's part of a split INSERT.
struct ShardInsert {
  ShardIndex shard;
  std::string text;
  // Parameter i+1 of `text` is parameter parameters[i] (from 0) of the original Bind.
  std::vector<uint16_t> parameters;
  // Which rows of the original VALUES these are, in order (for RETURNING).
  std::vector<uint32_t> rows;
};

}  // namespace meridian
