// Finds transactions that wait for each other in a circle over several shards, which no PostgreSQL
// can see, and has the youngest of each circle fail with 40P01, as PostgreSQL would.
//
// Every proxy looks, and cancels only its own clients' transactions; all see the same circles,
// because each tells the shards which server processes work for its transactions
// (meridian.open_transactions). A circle is believed when two looks in a row have seen it: a
// process that waits for the same one since the same moment has waited all the time between them,
// so all edges existed at once.
//
// Costs nothing while no transaction is open on several shards for longer than kPatience.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "metrics/counters.h"
#include "proxy/control/deadlock_graph.h"
#include "proxy/control/open_transactions.h"
#include "proxy/control/primary_connections.h"
#include "proxy/control/snapshot.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/pg_connection.h"
#include "sharding/string_map.h"

namespace meridian {

class DeadlockDetector {
 public:
  using CurrentSnapshot = std::function<std::shared_ptr<const Snapshot>()>;

  // Younger transactions are not looked at.
  static constexpr std::chrono::milliseconds kPatience{400};
  static constexpr std::chrono::milliseconds kInterval{250};
  // A shard that does not answer within this is left out.
  static constexpr std::chrono::milliseconds kShardTimeout{1'000};

  // `proxy`: this one's name. References outlive this object; they are used on its thread. Of the
  // metrics, deadlocks is written.
  DeadlockDetector(ShardAccess access, std::string proxy, CurrentSnapshot current,
                   OpenTransactions& transactions, ProcessMetrics& metrics);
  ~DeadlockDetector();  // Stop()
  DeadlockDetector(const DeadlockDetector&) = delete;
  DeadlockDetector& operator=(const DeadlockDetector&) = delete;

  void Start();
  void Stop();

 private:
  // A process that waits for another since a moment; `blocker_began`: the blocker's transaction.
  struct Wait {
    std::string shard, waiter_pid, since, blocker_pid, blocker_began;
    friend auto operator<=>(const Wait&, const Wait&) = default;
  };
  // What the shards say.
  struct View {
    std::set<Wait> waits;
    // (shard, pid) -> transaction on several shards
    std::map<std::pair<std::string, std::string>, WaiterKey> owners;
    std::map<WaiterKey, int64_t> began;  // microseconds since 1970, by its proxy's clock
  };

  void Run(const std::stop_token& stop);
  void Look();
  // Which processes of a shard work for this proxy's transactions.
  struct Work {
    uint64_t client_id;
    int64_t began;
    uint32_t pid;
    friend auto operator<=>(const Work&, const Work&) = default;
  };
  absl::Status TellShard(PgConnection& connection, const std::set<Work>& work);
  absl::Status AskShard(PgConnection& connection, const std::string& shard, View* view);
  // When it began, microseconds since 1970; the same in each look.
  int64_t BeganOf(const OpenTransaction& transaction);
  void Cancel(const std::vector<OpenTransaction>& own, const DeadlockVictim& victim);
  WaiterKey KeyOf(const OpenTransaction& own) const;

  const ShardAccess access_;
  const std::string proxy_;
  const CurrentSnapshot current_;
  OpenTransactions& transactions_;
  ProcessMetrics& metrics_;
  std::optional<PrimaryConnections> connections_;  // while it runs
  std::set<Wait> seen_;                            // in the last look
  StringMap<std::set<Work>> told_;                 // what the shards know, where it is known
  std::map<std::pair<uint64_t, uint64_t>, int64_t> began_;  // by client_id and began_us
  std::jthread thread_;
};

}  // namespace meridian
