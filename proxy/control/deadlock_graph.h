// Who waits for whom, over all shards, and who must give way. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace meridian {

// A transaction on several shards, or a server process that is none's: by a key that is the same
// for all that look.
using WaiterKey = std::string;

struct WaitEdge {
  std::string shard;
  WaiterKey waiter;
  WaiterKey blocker;
  friend bool operator==(const WaitEdge&, const WaitEdge&) = default;
};

struct DeadlockVictim {
  WaiterKey key;
  std::string detail;  // the circle, for the error
};

// The victims without which no circle is left that runs over several shards: of each the youngest
// transaction. `began`: the transactions on several shards and when they began (any unit); of
// equally old ones the greater key. Circles on one shard are PostgreSQL's own business.
std::vector<DeadlockVictim> FindDeadlocks(const std::vector<WaitEdge>& edges,
                                          const std::map<WaiterKey, int64_t>& began);

}  // namespace meridian
