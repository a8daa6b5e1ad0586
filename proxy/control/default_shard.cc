#include "proxy/control/default_shard.h"

#include <fmt/format.h>

#include <utility>

#include "sharding/sql_status.h"

namespace meridian {

PgTarget ForReading(PgTarget login) {
  login.parameters.emplace_back("options",
                                fmt::format("-c search_path=pg_catalog -c statement_timeout={}",
                                            login.statement_timeout.count()));
  return login;
}

DefaultShard::DefaultShard(ShardAccess access) : access_(std::move(access)) {
  access_.login = ForReading(std::move(access_.login));
}

std::string DefaultShard::DatabaseOf(const ShardMap& map) const {
  if (map.shards().empty()) return "";
  const std::string& dbname = map.shard(ShardMap::kDefaultShard).dbname;
  return dbname.empty() ? access_.login.dbname : dbname;
}

absl::Status DefaultShard::Connect(const PgTarget& target) {
  connection_.reset();
  auto connection = PgConnection::Connect(target);
  if (!connection.ok()) return connection.status();
  connection_.emplace(*std::move(connection));
  address_ = target.address;
  dbname_ = target.dbname;
  return absl::OkStatus();
}

absl::Status DefaultShard::Read(const Snapshot& snapshot,
                                absl::FunctionRef<absl::Status(PgConnection&)> body) {
  if (snapshot.map->shards().empty()) {
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState, "there are no shards",
                     "Create one in the admin database: CREATE SHARD ...");
  }
  const Shard& shard = snapshot.map->shard(ShardMap::kDefaultShard);
  const ShardNodes& nodes = snapshot.nodes->of(ShardMap::kDefaultShard);
  const NodeState* const primary = nodes.Primary();
  if (primary == nullptr) {
    return SqlStatus(sqlstate::kConnectionFailure,
                     fmt::format("shard \"{}\": {}", shard.name, nodes.last_error));
  }
  const PgTarget target = TargetOf(access_, shard, primary->address);
  const bool reuse = connection_ && !connection_->broken() && address_ == target.address &&
                     dbname_ == target.dbname;
  if (reuse) {
    absl::Status done = body(*connection_);
    if (!IsConnectionLoss(done)) return done;
  }
  if (absl::Status connected = Connect(target); !connected.ok()) return connected;
  return body(*connection_);
}

}  // namespace meridian
