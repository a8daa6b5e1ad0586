// SHOW POOLS.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "proxy/admin/reports.h"
#include "proxy/admin/table_rows.h"

namespace meridian {
namespace {

// One row: all pools of a database and user, over workers and nodes.
struct Total {
  uint64_t clients_active = 0;
  uint64_t clients_waiting = 0;
  std::map<ServerRow::State, uint64_t> servers;
  uint64_t oldest_wait_us = 0;
  std::set<NodeAddress> nodes;
  std::map<std::string, uint64_t> waiting_by_shard;
  bool paused = false;

  AdminValue Servers(ServerRow::State state) const {
    const auto found = servers.find(state);
    return IntegerValue(found == servers.end() ? 0 : found->second);
  }
};
using Totals = std::map<std::pair<std::string, std::string>, Total>;

void AddClients(const WorkerReport& report, Totals& totals) {
  for (const ClientRow& client : report.clients) {
    if (client.state == ClientRow::State::kLogin) continue;
    Total& total = totals[{client.database, client.user}];
    const bool waits = client.state == ClientRow::State::kWaiting;
    ++(waits ? total.clients_waiting : total.clients_active);
    total.oldest_wait_us = std::max(total.oldest_wait_us, client.wait_us);
  }
}

void AddServers(const WorkerReport& report, const ReportContext& context, Totals& totals) {
  for (const ServerRow& server : report.servers) {
    Total& total = totals[{ClientDatabase(server.pool, context.config), server.pool.user}];
    ++total.servers[server.state];
    total.nodes.insert(server.pool.node);
  }
}

void AddPools(const WorkerReport& report, const ReportContext& context, Totals& totals) {
  for (const PoolRow& pool : report.pools) {
    Total& total = totals[{ClientDatabase(pool.key, context.config), pool.key.user}];
    total.nodes.insert(pool.key.node);
    total.oldest_wait_us = std::max(total.oldest_wait_us, pool.oldest_wait_us);
    total.paused |= pool.paused;
    if (pool.waiting == 0) continue;
    const auto place = PlaceOf(pool.key, context.snapshot);
    const std::string name =
        place ? context.snapshot.map->shard(place->shard).name : pool.key.node.ToString();
    total.waiting_by_shard[name] += pool.waiting;
  }
}

std::string WaitingText(const Total& total) {
  std::vector<std::string> parts;
  for (const auto& [shard, waiting] : total.waiting_by_shard) {
    parts.push_back(fmt::format("{}: {}", shard, waiting));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// Each command of the admin database stands for itself, which is PgBouncer's statement mode.
std::string ModeText(std::string_view database, const Config& config) {
  if (database == kAdminDatabase) return "statement";
  const DatabaseConfig* found = config.FindDatabase(database);
  const PoolMode mode = found == nullptr ? config.pool_mode : found->pool_mode;
  return mode == PoolMode::kSession ? "session" : "transaction";
}

AdminValue SizeValue(std::string_view database, const Config& config) {
  const DatabaseConfig* found = config.FindDatabase(database);
  return std::to_string(found == nullptr ? config.pool_size : found->pool_size);
}

}  // namespace

std::vector<AdminColumn> PoolColumns() {
  constexpr uint32_t kInt4 = type_oid::kInt4;
  return {{"database"},
          {"user"},
          {"cl_active", kInt4},
          {"cl_waiting", kInt4},
          {"cl_active_cancel_req", kInt4},
          {"cl_waiting_cancel_req", kInt4},
          {"sv_active", kInt4},
          {"sv_active_cancel", kInt4},
          {"sv_being_canceled", kInt4},
          {"sv_idle", kInt4},
          {"sv_used", kInt4},
          {"sv_tested", kInt4},
          {"sv_login", kInt4},
          {"maxwait", kInt4},
          {"maxwait_us", kInt4},
          {"pool_mode"},
          {"pool_size", kInt4},
          {"nodes", kInt4},
          {"waiting_for"},
          {"paused", type_oid::kBool}};
}

std::vector<AdminRow> PoolRows(WorkerReports reports, const ReportContext& context) {
  Totals totals;
  for (const WorkerReport& report : reports) {
    AddClients(report, totals);
    AddServers(report, context, totals);
    AddPools(report, context, totals);
  }
  using State = ServerRow::State;
  constexpr uint64_t kSecondUs = 1'000'000;
  std::vector<AdminRow> rows;
  for (const auto& [key, total] : totals) {
    const auto& [database, user] = key;
    rows.push_back({database,
                    user,
                    IntegerValue(total.clients_active),
                    IntegerValue(total.clients_waiting),
                    "0",
                    "0",
                    total.Servers(State::kActive),
                    "0",
                    total.Servers(State::kCancelling),
                    total.Servers(State::kIdle),
                    "0",
                    total.Servers(State::kCleaning),
                    total.Servers(State::kLogin),
                    IntegerValue(total.oldest_wait_us / kSecondUs),
                    IntegerValue(total.oldest_wait_us % kSecondUs),
                    ModeText(database, context.config),
                    SizeValue(database, context.config),
                    IntegerValue(total.nodes.size()),
                    TextOrNull(WaitingText(total)),
                    BoolValue(total.paused)});
  }
  return rows;
}

}  // namespace meridian
