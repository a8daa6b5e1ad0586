// SHOW DATABASES: each database at each node, with the figures of its pools there.
#include <algorithm>

#include "proxy/admin/reports.h"
#include "proxy/admin/table_rows.h"

namespace meridian {
namespace {

// What all workers have at one node for one database.
struct AtNode {
  uint64_t servers = 0;
  uint64_t active = 0;
  uint64_t idle = 0;
  uint64_t waiting = 0;
  uint64_t oldest_wait_us = 0;
  bool paused = false;
};

AtNode CountAt(const NodeAddress& node, const std::string& database, WorkerReports reports) {
  AtNode count;
  const auto here = [&](const PoolKey& key) {
    return key.node == node && key.database == database;
  };
  for (const WorkerReport& report : reports) {
    for (const ServerRow& server : report.servers) {
      if (!here(server.pool)) continue;
      ++count.servers;
      count.active += server.state == ServerRow::State::kActive;
      count.idle += server.state == ServerRow::State::kIdle;
    }
    for (const PoolRow& pool : report.pools) {
      if (!here(pool.key)) continue;
      count.waiting += pool.waiting;
      count.oldest_wait_us = std::max(count.oldest_wait_us, pool.oldest_wait_us);
      count.paused |= pool.paused;
    }
  }
  return count;
}

AdminRow RowAt(const DatabaseConfig& config, const Shard& shard, const ShardNodes& nodes,
               const NodeAddress& node, WorkerReports reports) {
  const std::string database = shard.dbname.empty() ? config.name : shard.dbname;
  const AtNode at = CountAt(node, database, reports);
  return {config.name,
          node.host,
          std::to_string(node.port),
          database,
          std::nullopt,
          std::to_string(config.pool_size),
          "0",
          "0",
          config.pool_mode == PoolMode::kSession ? "session" : "transaction",
          "0",
          IntegerValue(at.servers),
          at.paused ? "1" : "0",
          "0",
          shard.name,
          std::string(NodeRoleName(RoleOf(nodes, node))),
          NumberValue(at.active),
          NumberValue(at.idle),
          NumberValue(at.waiting),
          NumberValue(at.oldest_wait_us)};
}

// A database without nodes: the admin database, or any before the first CREATE SHARD.
AdminRow RowWithoutNode(std::string_view name, AdminValue port, std::string_view mode) {
  return {std::string(name),
          std::nullopt,
          std::move(port),
          std::string(name),
          std::nullopt,
          "0",
          "0",
          "0",
          std::string(mode),
          "0",
          "0",
          "0",
          "0",
          std::nullopt,
          std::nullopt,
          "0",
          "0",
          "0",
          "0"};
}

}  // namespace

std::vector<AdminColumn> DatabaseColumns() {
  constexpr uint32_t kInt4 = type_oid::kInt4;
  constexpr uint32_t kInt8 = type_oid::kInt8;
  return {{"name"},
          {"host"},
          {"port", kInt4},
          {"database"},
          {"force_user"},
          {"pool_size", kInt4},
          {"min_pool_size", kInt4},
          {"reserve_pool", kInt4},
          {"pool_mode"},
          {"max_connections", kInt4},
          {"current_connections", kInt4},
          {"paused", kInt4},
          {"disabled", kInt4},
          {"shard"},
          {"role"},
          {"sv_active", kInt8},
          {"sv_idle", kInt8},
          {"cl_waiting", kInt8},
          {"maxwait_us", kInt8}};
}

std::vector<AdminRow> DatabaseRows(WorkerReports reports, const ReportContext& context) {
  std::vector<AdminRow> rows;
  rows.push_back(
      RowWithoutNode(kAdminDatabase, std::to_string(context.config.listen_port), "statement"));
  const std::vector<Shard>& shards = context.snapshot.map->shards();
  for (const DatabaseConfig& database : context.config.databases) {
    if (shards.empty()) rows.push_back(RowWithoutNode(database.name, std::nullopt, "transaction"));
    for (size_t s = 0; s < shards.size(); ++s) {
      const ShardNodes& nodes = context.snapshot.nodes->of({static_cast<uint16_t>(s)});
      for (const NodeAddress& node : shards[s].nodes) {
        rows.push_back(RowAt(database, shards[s], nodes, node, reports));
      }
    }
  }
  return rows;
}

}  // namespace meridian
