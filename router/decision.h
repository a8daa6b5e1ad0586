// Where one execution of a statement goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/shard_map.h"

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
  kMove,  // an UPDATE after which rows belong to another shard (Router::FindKeyMove), atomically;
          // counts are added
};
std::string_view RouteName(Route route);

struct Decision {
  Route route = Route::kAny;
  // kOne: exactly one; kSession, kAny: empty. Knows the ranges on the move that the statement may
  // use.
  ShardSet shards;

  // Whether shards that may hold stray rows get another text (Router::OwnedText).
  bool LeavesOutStrays() const {
    return route == Route::kConcat || route == Route::kSum || route == Route::kMove;
  }
};

// What the session wants, or already has.
struct RouteHints {
  // SET meridian.shard, or the shard of SET meridian.distribution_key: everything goes there.
  std::optional<ShardIndex> shard;
  // Inside of a transaction block, the implicit one of several statements in a Query included.
  bool in_transaction = true;
};

// The one key that a statement uses: in distributions()[distribution].ranges()[range] of the map of
// that epoch, as a point of the key space.
struct UsedKey {
  Epoch epoch;
  size_t distribution = 0;
  size_t range = 0;
  KeyTuple point;
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

// What moves the rows of a kMove decision once the statement has given them their new key.
struct KeyMove {
  ShardSet from;  // where the statement runs; on `to`, too, if rows are there
  ShardIndex to;
  // Deletes what the statement has changed, by the new key, $1 and so on, and returns it.
  std::string take_sql;
  std::vector<std::string> key;  // of $1 and so on, as text
  // Inserts one row of it, $1 and so on.
  std::string put_sql;
};

}  // namespace meridian
