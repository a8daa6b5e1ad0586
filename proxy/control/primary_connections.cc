#include "proxy/control/primary_connections.h"

#include <fmt/format.h>

#include <utility>

#include "sharding/catalog/shard_support.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// A lead that has not decided yet, while its proxy seems to be dead, must not hold up the others.
constexpr char kLockTimeoutSql[] = "SET lock_timeout = '500ms'";

}  // namespace

absl::StatusOr<PgConnection*> PrimaryConnections::To(const Snapshot& snapshot,
                                                     const std::string& name) {
  const auto index = snapshot.map->FindShard(name);
  if (!index) {
    return SqlStatus(sqlstate::kUndefinedObject, fmt::format("there is no shard \"{}\"", name));
  }
  const ShardNodes& nodes = snapshot.nodes->of(*index);
  const NodeState* const primary = nodes.Primary();
  if (primary == nullptr) {
    return SqlStatus(sqlstate::kConnectionFailure,
                     fmt::format("shard \"{}\": {}", name, nodes.last_error));
  }
  const auto kept = kept_.find(name);
  if (kept != kept_.end()) {
    if (!kept->second.connection.broken() && kept->second.address == primary->address) {
      return &kept->second.connection;
    }
    kept_.erase(kept);
  }
  auto connection =
      PgConnection::Connect(TargetOf(access_, snapshot.map->shard(*index), primary->address));
  if (!connection.ok()) return connection.status();
  if (absl::Status ready = EnsureShardSupport(*connection); !ready.ok()) return ready;
  if (auto set = connection->Query(kLockTimeoutSql); !set.ok()) return set.status();
  const auto added = kept_.emplace(name, Kept{*std::move(connection), primary->address});
  return &added.first->second.connection;
}

}  // namespace meridian
