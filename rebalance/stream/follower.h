// Reading a stream of changes and applying it, up to barriers. Blocking; one thread.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <string>
#include <string_view>

#include "rebalance/stream/change_applier.h"
#include "rebalance/stream/change_stream.h"

namespace meridian {

// The prefix of our logical messages (pg_logical_emit_message).
inline constexpr std::string_view kMessagePrefix = "meridian";

class Follower {
 public:
  // Both must outlive it, and nobody else may use them.
  Follower(ChangeStream& stream, ChangeApplier& applier) : stream_(stream), applier_(applier) {}

  // True when the transaction that emitted the (transactional) message `barrier` is durable at the
  // target, with all before it; false when that has not come by the deadline. With an empty barrier
  // it follows until the deadline. What is applied is confirmed to the source.
  absl::StatusOr<bool> Until(std::string_view barrier,
                             std::chrono::steady_clock::time_point deadline);
  // Stops in front of the first transaction that has committed at `position` or behind it: true
  // when it has met one, and all before it is durable at the target. A slot's snapshot shows just
  // that of its start. (PostgreSQL: src/backend/replication/logical/snapbuild.c)
  absl::StatusOr<bool> UpTo(Lsn position, std::chrono::steady_clock::time_point deadline);

 private:
  // Takes the next message, or makes durable what there is where none comes in time.
  absl::Status Step(std::chrono::milliseconds wait);
  absl::Status Take(std::string_view bytes);
  absl::Status GoOn();

  ChangeStream& stream_;
  ChangeApplier& applier_;
  Lsn stop_at_ = 0;     // 0: nowhere
  std::string next_;    // the message in front of which it has stopped
  std::string met_;     // the last message of the transaction that is being read
  std::string passed_;  // and of the last one that has ended
};

}  // namespace meridian
