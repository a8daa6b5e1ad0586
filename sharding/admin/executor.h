// Executes the admin commands that change the catalog, or ask it. Blocking: one control thread owns
// it.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>

#include "sharding/admin/command.h"
#include "sharding/admin/shard_access.h"
#include "sharding/admin/table_result.h"
#include "sharding/catalog/store.h"

namespace meridian {

// Called on the executor's thread, before the command ends.
using NoticeSink = absl::FunctionRef<void(const AdminNotice&)>;

struct AdminOutcome {
  AdminResult result;
  // The map after the command, already in the catalog: the caller may publish it at once instead of
  // waiting for the notification. Null: the command is not about the map.
  std::shared_ptr<const ShardMap> map;
};

class AdminExecutor {
 public:
  // `store` outlives the executor and is used by its thread only.
  AdminExecutor(CatalogStore& store, ShardAccess access);

  // Precondition: RoomOf(statement.command) == CommandRoom::kCatalog. `who`: the admin user, for
  // the log of changes. Either the whole command is done or nothing of it is in the map; tables
  // that were created on shards before an error stay there and are found by the next attempt.
  absl::StatusOr<AdminOutcome> Execute(const Command& command, std::string_view text,
                                       std::string_view who, NoticeSink notices);

 private:
  CatalogStore& store_;
  ShardAccess access_;
};

}  // namespace meridian
