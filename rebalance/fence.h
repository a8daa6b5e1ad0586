// The fence: triggers on the source that refuse writes to a key range which it gives up, whoever
// sends them: a proxy with an old map, a client without any. Blocking.
//
// Arming it waits until no transaction that has written to the tables is open (the lock of CREATE
// TRIGGER conflicts with theirs), so that behind the barrier, which its transaction emits, no
// change of the range can follow in the source's log.
#pragma once

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

// The SQLSTATE of a write that the fence refuses. Where a statement meets it, it has changed
// nothing; its DETAIL names the new owner.
inline constexpr std::string_view kRangeHasMoved = "M0002";

struct FencedTable {
  TableName name;
  std::string old_condition;  // of OLD and of NEW: the row is in the range
  std::string new_condition;
};
// `table` is of `distribution`; the range is ranges()[range].
FencedTable FenceOf(const MappedTable& table, const Distribution& distribution, size_t range);

struct Fence {
  std::string name;  // of the triggers; one per move
  std::vector<FencedTable> tables;
  std::string range;      // for messages
  std::string new_owner;  // a shard's name
};

// Waits for the tables' locks no longer than `lock_timeout` each: 55P03 then, and nothing has
// happened. `barrier` is what Follower waits for. Again with the same name: no error, a new
// barrier.
absl::Status ArmFence(PgConnection& source, const Fence& fence, std::string_view barrier,
                      std::chrono::milliseconds lock_timeout);
// No error where there is none.
absl::Status DropFence(PgConnection& source, const Fence& fence,
                       std::chrono::milliseconds lock_timeout);

}  // namespace meridian
