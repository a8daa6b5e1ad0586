#include "sharding/admin/shard_access.h"

#include <fmt/format.h>

#include "sharding/sql_status.h"

namespace meridian {

PgTarget TargetOf(const ShardAccess& access, const Shard& shard, const NodeAddress& node) {
  PgTarget target = access.login;
  target.address = node;
  if (!shard.dbname.empty()) target.dbname = shard.dbname;
  return target;
}

absl::StatusOr<ShardPrimary> ConnectPrimary(const ShardAccess& access, const Shard& shard) {
  std::optional<ShardPrimary> primary;
  size_t standbys = 0;
  std::string failures;
  for (const NodeAddress& node : shard.nodes) {
    auto connection = PgConnection::Connect(TargetOf(access, shard, node));
    auto recovery = connection.ok() ? connection->Query("SELECT pg_is_in_recovery()")
                                    : absl::StatusOr<PgResult>(connection.status());
    if (!recovery.ok()) {
      failures +=
          fmt::format("{}{}", failures.empty() ? "" : "; ", ToSqlError(recovery.status()).message);
      continue;
    }
    if (recovery->Text(0, 0) == "t") {
      ++standbys;
      continue;
    }
    if (primary) {
      return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                       fmt::format("shard \"{}\" has two primaries: {} and {}", shard.name,
                                   primary->node.ToString(), node.ToString()),
                       "Make one of them a standby of the other, or drop it from the shard.");
    }
    primary.emplace(ShardPrimary{*std::move(connection), node});
  }
  if (primary) return *std::move(primary);
  if (standbys > 0) {
    return SqlStatus("25006", fmt::format("shard \"{}\" has no primary", shard.name),
                     "All its nodes that answer are in recovery: promote one.", failures);
  }
  return SqlStatus(sqlstate::kConnectionFailure,
                   fmt::format("no node of shard \"{}\" can be reached", shard.name),
                   "Check the shard's hosts (SHOW SHARDS), user and password.", failures);
}

}  // namespace meridian
