// SHOW LISTS: how many there are of everything.
#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>

#include "proxy/admin/reports.h"
#include "proxy/admin/table_rows.h"

namespace meridian {
namespace {

struct Counts {
  std::set<std::string> users;
  std::set<std::pair<std::string, std::string>> pools;  // the rows of SHOW POOLS
  uint64_t clients = 0;
  uint64_t clients_login = 0;
  uint64_t clients_waiting = 0;
  uint64_t clients_pinned = 0;
  uint64_t servers_idle = 0;
  uint64_t servers_used = 0;

  void Add(const ClientRow& client) {
    ++clients;
    clients_pinned += client.pin != PinReason::kNone;
    clients_waiting += client.state == ClientRow::State::kWaiting;
    if (client.state == ClientRow::State::kLogin) {
      ++clients_login;
      return;
    }
    users.insert(client.user);
    pools.insert({client.database, client.user});
  }
  void Add(const ServerRow& server, const Config& config) {
    ++(server.state == ServerRow::State::kIdle ? servers_idle : servers_used);
    Add(server.pool, config);
  }
  void Add(const PoolKey& pool, const Config& config) {
    users.insert(pool.user);
    pools.insert({ClientDatabase(pool, config), pool.user});
  }
};

std::pair<uint64_t, uint64_t> NodesAndReachable(const Snapshot& snapshot) {
  uint64_t nodes = 0;
  uint64_t reachable = 0;
  for (const ShardNodes& shard : snapshot.nodes->shards) {
    nodes += shard.nodes.size();
    for (const NodeState& node : shard.nodes) reachable += node.reachable;
  }
  return {nodes, reachable};
}

}  // namespace

std::vector<AdminColumn> ListColumns() { return {{"list"}, {"items", type_oid::kInt4}}; }

std::vector<AdminRow> ListRows(WorkerReports reports, const ReportContext& context) {
  Counts counts;
  for (const WorkerReport& report : reports) {
    for (const ClientRow& client : report.clients) counts.Add(client);
    for (const ServerRow& server : report.servers) counts.Add(server, context.config);
    for (const PoolRow& pool : report.pools) counts.Add(pool.key, context.config);
  }
  const auto clients_max = static_cast<uint64_t>(context.config.max_client_connections);
  const auto [nodes, reachable] = NodesAndReachable(context.snapshot);
  const std::pair<std::string_view, uint64_t> items[] = {
      {"databases", context.config.databases.size() + 1},  // and the admin database
      {"users", counts.users.size()},
      {"pools", counts.pools.size()},
      {"free_clients", clients_max - std::min(clients_max, counts.clients)},
      {"used_clients", counts.clients},
      {"login_clients", counts.clients_login},
      {"free_servers", counts.servers_idle},
      {"used_servers", counts.servers_used},
      {"dns_names", 0},
      {"dns_zones", 0},
      {"dns_queries", 0},
      {"dns_pending", 0},
      {"workers", reports.size()},
      {"waiting_clients", counts.clients_waiting},
      {"pinned_clients", counts.clients_pinned},
      {"shards", context.snapshot.map->shards().size()},
      {"nodes", nodes},
      {"reachable_nodes", reachable},
      {"catalog_connected", context.control.catalog_connected},
      {"commands_waiting", context.control.commands_waiting},
  };
  std::vector<AdminRow> rows;
  for (const auto& [list, count] : items) rows.push_back({std::string(list), IntegerValue(count)});
  return rows;
}

}  // namespace meridian
