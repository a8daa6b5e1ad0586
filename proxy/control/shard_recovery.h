// Finishes the prepared transactions that are left on one shard: of a proxy that is gone, or of
// this one where it could not tell a server how a transaction has ended. Blocking; one thread at a
// time.
//
// How a transaction has ended is asked of the shard that leads it (sql/shard/support.sql): where
// that has no record, nobody has decided, and the answer itself makes sure that nobody will. So any
// number of proxies may do this at once, at any time; that the transaction of a living proxy is
// left alone is a courtesy only.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <optional>
#include <string>

#include "proxy/control/prepared_board.h"
#include "proxy/control/primary_connections.h"
#include "proxy/control/snapshot.h"
#include "proxy/control/transactions_in_flight.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/pg_connection.h"
#include "sharding/string_map.h"

namespace meridian {

class ShardRecovery {
 public:
  // The transactions of another proxy are left alone for so long, though it does not seem to live.
  static constexpr std::chrono::milliseconds kGraceOfOthers{5'000};
  // Records of decisions are kept for at least so long after nobody needs them any more.
  static constexpr std::chrono::milliseconds kRecordsKept = std::chrono::minutes(60);

  struct Finished {
    size_t committed = 0;
    size_t rolled_back = 0;
  };

  // `proxy`: this one's name in the names of transactions. References outlive this object.
  ShardRecovery(ShardAccess access, std::string shard, std::string proxy,
                const TransactionsInFlight& in_flight, PreparedBoard& board,
                std::chrono::milliseconds records_kept = kRecordsKept);

  // Looks once, and finishes what can be. An error: the shard could not be asked.
  absl::StatusOr<Finished> Round(const Snapshot& snapshot);

 private:
  // Whether it was committed. An error: why it is still there.
  absl::StatusOr<bool> Finish(const Snapshot& snapshot, const PreparedTransaction& prepared);
  absl::StatusOr<bool> AskLead(const Snapshot& snapshot, const std::string& token,
                               const PreparedTransaction& prepared);
  // Deletes records of this shard's that nobody can ask for any more.
  absl::Status Prune(const Snapshot& snapshot);

  const std::string shard_;
  const std::string proxy_;
  const TransactionsInFlight& in_flight_;
  PreparedBoard& board_;
  const std::chrono::milliseconds records_kept_;
  PrimaryConnections connections_;
  std::optional<PreparedBoard::Clock::time_point> pruned_;
};

}  // namespace meridian
