// The catalog's records of moves (sql/0003_moves.sql): what was asked for, how far each is, and
// what the operator wants of it. Blocking; each function is one statement on a catalog connection
// (PrepareCatalogSession).
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sharding/catalog/pg_connection.h"

namespace meridian {

struct MoveOptions {
  uint64_t max_rate = 0;  // bytes per second; 0: no limit
  std::chrono::milliseconds cutover_timeout{2'000};
  std::chrono::milliseconds max_replica_lag{
      5'000};  // of either shard; above it the copy slows down
  bool verify = true;
  uint64_t slice_size = uint64_t{4} << 30;  // bytes that move at a time, about; 0: all
  // Once the target owns the range, the source is kept up to date until FINISH MOVE.
  bool reversible = false;
  // Tables whose rows cannot be told apart by an index get REPLICA IDENTITY FULL for the time.
  bool full_identity = false;
};

// Of a move that is to be changed: what is given.
struct MoveChange {
  std::optional<uint64_t> max_rate;
  std::optional<std::chrono::milliseconds> cutover_timeout;
  std::optional<std::chrono::milliseconds> max_replica_lag;
  std::optional<bool> verify;
  std::optional<uint64_t> slice_size;
  std::optional<bool> reversible;  // this and the next of a new move only
  std::optional<bool> full_identity;
};

// What a move is to take, in the words of the map at the time.
struct MoveRequest {
  std::string range;
  std::string distribution;
  std::string source;
  std::string target;
  MoveOptions options;
};

// What the operator wants of a move: to go on; to rest; to be undone before its range has changed
// owner, and behind that; to end, where it can be reversed.
enum class MoveWish { kRun, kPause, kCancel, kReverse, kFinish };
std::string_view MoveWishName(MoveWish wish);

struct MoveRecord {
  uint64_t id = 0;
  MoveRequest request;
  MoveWish wish = MoveWish::kRun;
  std::string phase;  // rebalance/move_phase.h
  uint64_t copies = 0;
  uint64_t cutovers = 0;
  bool back = false;    // the target has become the source: the way back
  std::string slice;    // the range of the slice that moves; empty: none, or what is left of it all
  std::string moved;    // the range of what has moved in slices; empty: nothing
  uint64_t slices = 0;  // that have moved

  // As it goes now: source and target have changed places on the way back, and the range may be
  // that of a slice.
  MoveRequest Way() const;
};

// The new move's number. 55006 where the range moves already.
absl::StatusOr<uint64_t> AddMove(PgConnection& catalog, const MoveRequest& request,
                                 std::string_view who);
// 42704: there is no such move; 55000: it is not in a phase for that.
absl::Status SetMoveWish(PgConnection& catalog, uint64_t id, MoveWish wish);
absl::Status ChangeMove(PgConnection& catalog, uint64_t id, const MoveChange& change);
// What SET REBALANCER says: the mode is "off", "dry run" or "on"; options that are not given stay.
struct RebalancerOptions {
  std::optional<bool> by_load;
  std::optional<uint64_t> threshold;  // percent
  std::optional<uint64_t> max_rate;   // bytes per second; 0: no limit
  // "22:00", UTC; both empty: always.
  std::optional<std::pair<std::string, std::string>> window;
};
absl::Status StoreRebalancer(PgConnection& catalog, std::string_view mode,
                             const RebalancerOptions& options);
// Those that have not ended, in the order in which they were asked for.
absl::StatusOr<std::vector<MoveRecord>> OpenMoves(PgConnection& catalog);

}  // namespace meridian
