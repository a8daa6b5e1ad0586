// What the control threads ask the workers about their clients' transactions, and maps.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "metrics/range_use.h"
#include "sharding/shard_map.h"

namespace meridian {

// A transaction of this proxy's that has joined several shards.
struct OpenTransaction {
  struct Part {
    std::string shard;
    uint32_t pid = 0;  // of the server process
  };
  uint64_t client_id = 0;
  uint64_t began_us = 0;  // monotonic: with client_id, which transaction it is
  uint64_t age_us = 0;
  std::vector<Part> parts;
};

// Which shard maps the workers use.
struct MapsInUse {
  Epoch epoch;                 // all of them begin statements with this one, or a later one
  Epoch oldest;                // and nothing that is under way began with an older one than this
  std::set<std::string> busy;  // the ranges on the move that open transactions use
};

class OpenTransactions {
 public:
  virtual ~OpenTransactions() = default;
  // Those that have joined several shards. Waits for the workers, but not for long: one that hangs
  // is left out. On control threads.
  virtual std::vector<OpenTransaction> OnSeveralShards() = 0;
  // Ends what this transaction waits for with 40P01, if it is still the same and waits.
  // nullopt: a worker has not answered in time.
  virtual std::optional<MapsInUse> Maps() = 0;
  // What clients have done with key ranges since the last call, as far as workers answer in time.
  virtual RangeUseReport TakeUse() = 0;
  virtual void CancelDeadlocked(uint64_t client_id, uint64_t began_us, std::string detail) = 0;
};

}  // namespace meridian
