// The fence: triggers on the source that watch the writes of a key range on the move, and refuse
// them from the moment at which the range is given up, whoever sends them: a proxy with an old map,
// a client without any. Blocking.
//
// Whoever writes to the range shares an advisory lock with the others until its transaction ends;
// arming takes that lock alone. So it waits for those who have written to this range and for nobody
// else, and behind the barrier, which the arming transaction emits, no change of the range can
// follow in the source's log. Whether the fence is armed is in a sequence, which transactions see
// as it is now, whatever their snapshot.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/types/span.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

// A write that the fence refuses has SQLSTATE kRangeHasMoved. Where a statement meets it, it has
// changed nothing; its DETAIL names the new owner.

struct FencedTable {
  TableName name;
  std::string old_condition;  // of OLD and of NEW: the row is in the range
  std::string new_condition;
};
// `table` is of `distribution`; the range is ranges()[range].
FencedTable FenceOf(const MappedTable& table, const Distribution& distribution, size_t range);

struct Fence {
  std::string name;  // of its objects: small letters, digits and _; one per move
  std::vector<FencedTable> tables;
  std::string range;      // for messages
  std::string new_owner;  // a shard's name
};

// The key of the advisory lock that its writers share: SQL.
std::string FenceLockSql(const Fence& fence);

// Puts the triggers on the tables, one table after the other: writes pass, TRUNCATE is refused
// (55006). Waits for each table's lock, for which all who write to it must have ended, no longer
// than `lock_timeout`: 55P03 then; what was done stays, and a second call goes on. A fence that
// stands is opened.
absl::Status RaiseFence(PgConnection& source, const Fence& fence,
                        std::chrono::milliseconds lock_timeout);
// From now on writes to the range are refused. `barrier` is what Follower waits for. Waits for who
// has written no longer than `lock_timeout`: 55P03 then, and nothing has happened. After any other
// error the fence may be armed. `before` runs in the transaction first.
absl::Status ArmFence(PgConnection& source, const Fence& fence, std::string_view barrier,
                      std::chrono::milliseconds lock_timeout,
                      absl::FunctionRef<absl::Status()> before);
// Lets them pass again. No error where there is no fence.
absl::Status OpenFence(PgConnection& source, const Fence& fence);
// Refuses them again, without waiting for anybody: after a failover that has lost the armed state.
absl::Status CloseFence(PgConnection& source, const Fence& fence);
// Takes it away, as it was raised. No error where there is none.
absl::Status DropFence(PgConnection& source, const Fence& fence,
                       std::chrono::milliseconds lock_timeout);

}  // namespace meridian
