// Which transactions of Meridian's are prepared on which shard, as their recovery has last seen it.
// Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sharding/shard_map.h"
#include "sharding/string_map.h"

namespace meridian {

struct PreparedTransaction {
  std::string name;
  std::string owner;  // the role that has prepared it
  std::string shard;
  int64_t age_ms = 0;     // since PREPARE TRANSACTION, by the shard's clock
  bool in_doubt = false;  // nobody is committing it any more
  std::string why;        // what it waits for
};

class PreparedBoard {
 public:
  using Clock = std::chrono::steady_clock;

  // What the shard has, asked at `when`.
  void Set(const std::string& shard, std::vector<PreparedTransaction> prepared,
           Clock::time_point when);
  // The shard could not be asked; what is known of it stays.
  void SetError(const std::string& shard, std::string error);
  // Forgets shards that are not in the map.
  void Keep(const ShardMap& map);

  std::vector<PreparedTransaction> All() const;
  // One per shard that could not be asked, with why.
  std::vector<std::pair<std::string, std::string>> Errors() const;
  // The names that are prepared anywhere; nullopt where a shard of the map was not asked since
  // `since`.
  std::optional<std::set<std::string>> NamesSince(const ShardMap& map,
                                                  Clock::time_point since) const;

 private:
  struct Entry {
    std::vector<PreparedTransaction> prepared;
    std::optional<Clock::time_point> when;
    std::string error;
  };
  mutable std::mutex mu_;
  StringMap<Entry> shards_;  // guarded by mu_
};

}  // namespace meridian
