// Recovers prepared transactions (shard_recovery.h), at the start and again and again, on a thread
// per shard: a shard that hangs delays no other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "metrics/counters.h"
#include "proxy/control/prepared_board.h"
#include "proxy/control/snapshot.h"
#include "proxy/control/transactions_in_flight.h"
#include "sharding/admin/shard_access.h"
#include "sharding/string_map.h"

namespace meridian {

// Thread-safe.
class TransactionRecovery {
 public:
  using CurrentSnapshot = std::function<std::shared_ptr<const Snapshot>()>;

  // `proxy`: this one's name in the names of transactions. References outlive this object;
  // `current` is called on its threads. Of the metrics, transactions_* are written.
  TransactionRecovery(ShardAccess access, std::string proxy, std::chrono::milliseconds interval,
                      CurrentSnapshot current, ProcessMetrics& metrics);
  ~TransactionRecovery();  // Stop()
  TransactionRecovery(const TransactionRecovery&) = delete;
  TransactionRecovery& operator=(const TransactionRecovery&) = delete;

  // Looks after the shards of this map from now on, those and no others.
  void Watch(const ShardMap& map);
  // Looks at all of them now: a node's state has changed.
  void LookNow();
  void SetInterval(std::chrono::milliseconds interval);
  // Ends all threads and waits for them. Any number of times.
  void Stop();

  TransactionsInFlight& in_flight() { return in_flight_; }
  const PreparedBoard& board() const { return board_; }

 private:
  void Run(const std::stop_token& stop, const std::string& shard);
  // The last error of a shard, and how often in a row it came.
  struct LastError {
    std::string text;
    int times = 0;
  };
  // Logs one that stays; a node that was not checked yet is no news.
  void Note(const std::string& shard, const absl::Status& status, LastError& last);

  const ShardAccess access_;
  const std::string proxy_;
  const CurrentSnapshot current_;
  ProcessMetrics& metrics_;
  TransactionsInFlight in_flight_;
  PreparedBoard board_;
  std::mutex mu_;
  std::condition_variable_any wake_;
  // Guarded by mu_, and so is writing the metrics.
  std::chrono::milliseconds interval_;
  uint64_t looks_wanted_ = 0;
  bool stopped_ = false;
  StringMap<std::jthread> threads_;    // by shard
  std::vector<std::jthread> leaving_;  // asked to stop, to be joined by Stop
};

}  // namespace meridian
