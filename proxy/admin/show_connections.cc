// SHOW CLIENTS and SHOW SERVERS.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "proxy/admin/reports.h"
#include "proxy/admin/table_rows.h"

namespace meridian {
namespace {

using enum ClientRow::State;

// PgBouncer's columns of both tables.
std::vector<AdminColumn> SocketColumns() {
  return {{"type"},
          {"user"},
          {"database"},
          {"state"},
          {"addr"},
          {"port", type_oid::kInt4},
          {"local_addr"},
          {"local_port", type_oid::kInt4},
          {"connect_time"},
          {"request_time"},
          {"wait", type_oid::kInt4},
          {"wait_us", type_oid::kInt4},
          {"close_needed", type_oid::kInt4},
          {"ptr"},
          {"link"},
          {"remote_pid", type_oid::kInt4},
          {"tls"},
          {"application_name"}};
}

struct SocketRow {
  std::string_view type;
  std::string user;
  std::string database;
  std::string_view state;
  const SocketFacts& socket;
  uint64_t wait_us = 0;
  bool closing = false;
  std::string ptr;
  std::string link;
  uint32_t pid = 0;
  std::string application_name = {};
};

AdminRow FirstColumns(const SocketRow& row) {
  constexpr uint64_t kSecondUs = 1'000'000;
  return {std::string(row.type),
          row.user,
          row.database,
          std::string(row.state),
          row.socket.address,
          std::to_string(row.socket.port),
          row.socket.local_address,
          std::to_string(row.socket.local_port),
          TimeText(row.socket.connected_at),
          TimeText(row.socket.last_request_at),
          IntegerValue(row.wait_us / kSecondUs),
          IntegerValue(row.wait_us % kSecondUs),
          row.closing ? "1" : "0",
          row.ptr,
          row.link,
          std::to_string(static_cast<int32_t>(row.pid)),
          row.socket.tls,
          row.application_name};
}

std::vector<AdminColumn> Joined(std::vector<AdminColumn> first, std::vector<AdminColumn> ours) {
  first.insert(first.end(), ours.begin(), ours.end());
  return first;
}

AdminRow Joined(AdminRow first, AdminRow ours) {
  first.insert(first.end(), ours.begin(), ours.end());
  return first;
}

// Unique in the process, as the addresses that PgBouncer shows are.
std::string ClientPointer(uint64_t client_id) {
  return client_id == 0 ? std::string() : fmt::format("c{}", client_id);
}
std::string ServerPointer(int worker, uint64_t server_id) {
  return fmt::format("s{}.{}", worker, server_id);
}

std::string_view ActivityText(ClientRow::State state) {
  constexpr std::array<std::string_view, 4> kNames = {"login", "idle", "active", "waiting"};
  return kNames[static_cast<size_t>(state)];
}

// PgBouncer calls a client active that waits for nothing.
std::string_view ClientStateText(ClientRow::State state) {
  return state == kIdle ? ActivityText(kActive) : ActivityText(state);
}

// A server that is being reset is "tested" for PgBouncer.
std::string_view ServerStateText(ServerRow::State state) {
  constexpr std::array<std::string_view, 5> kNames = {"new", "idle", "active", "tested",
                                                      "being_canceled"};
  return kNames[static_cast<size_t>(state)];
}

std::string ShardName(const PoolKey& pool, const Snapshot& snapshot) {
  const auto place = PlaceOf(pool, snapshot);
  return place ? snapshot.map->shard(place->shard).name : std::string();
}

std::string ShardsOf(const ClientRow& client, const WorkerReport& report,
                     const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const uint64_t id : client.server_ids) {
    const auto server = std::find_if(report.servers.begin(), report.servers.end(),
                                     [&](const ServerRow& s) { return s.server_id == id; });
    if (server != report.servers.end()) names.push_back(ShardName(server->pool, snapshot));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::vector<AdminColumn> ClientColumns() {
  return Joined(SocketColumns(), {{"client_id", type_oid::kInt8},
                                  {"worker", type_oid::kInt4},
                                  {"pid", type_oid::kInt4},
                                  {"activity"},
                                  {"transaction"},
                                  {"pin_reason"},
                                  {"shards"},
                                  {"statements", type_oid::kInt8}});
}

std::vector<AdminRow> ClientRows(WorkerReports reports, const ReportContext& context) {
  std::vector<AdminRow> rows;
  for (const WorkerReport& report : reports) {
    for (const ClientRow& client : report.clients) {
      const std::string link =
          client.server_ids.empty() ? "" : ServerPointer(report.worker, client.server_ids[0]);
      const SocketRow first{.type = "C",
                            .user = client.user,
                            .database = client.database,
                            .state = ClientStateText(client.state),
                            .socket = client.socket,
                            .wait_us = client.wait_us,
                            .closing = client.closing,
                            .ptr = ClientPointer(client.client_id),
                            .link = link,
                            .application_name = client.application_name};
      const bool pinned = client.pin != PinReason::kNone;
      rows.push_back(Joined(
          FirstColumns(first),
          {NumberValue(client.client_id), std::to_string(report.worker),
           std::to_string(static_cast<int32_t>(client.pid)),
           std::string(ActivityText(client.state)), TransactionText(client.transaction_status),
           pinned ? AdminValue(PinReasonName(client.pin)) : std::nullopt,
           TextOrNull(ShardsOf(client, report, context.snapshot)),
           NumberValue(client.statements)}));
    }
  }
  return rows;
}

std::vector<AdminColumn> ServerColumns() {
  return Joined(SocketColumns(), {{"server_id", type_oid::kInt8},
                                  {"worker", type_oid::kInt4},
                                  {"shard"},
                                  {"role"},
                                  {"client_id", type_oid::kInt8},
                                  {"transaction"},
                                  {"prepared", type_oid::kInt8},
                                  {"statements", type_oid::kInt8}});
}

std::vector<AdminRow> ServerRows(WorkerReports reports, const ReportContext& context) {
  std::vector<AdminRow> rows;
  for (const WorkerReport& report : reports) {
    for (const ServerRow& server : report.servers) {
      const SocketRow first{.type = "S",
                            .user = server.pool.user,
                            .database = ClientDatabase(server.pool, context.config),
                            .state = ServerStateText(server.state),
                            .socket = server.socket,
                            .closing = server.closing,
                            .ptr = ServerPointer(report.worker, server.server_id),
                            .link = ClientPointer(server.client_id),
                            .pid = server.pid};
      const auto place = PlaceOf(server.pool, context.snapshot);
      rows.push_back(
          Joined(FirstColumns(first),
                 {NumberValue(server.server_id), std::to_string(report.worker),
                  place ? AdminValue(context.snapshot.map->shard(place->shard).name) : std::nullopt,
                  place ? AdminValue(NodeRoleName(place->role)) : std::nullopt,
                  server.client_id == 0 ? std::nullopt : NumberValue(server.client_id),
                  TransactionText(server.transaction_status), NumberValue(server.prepared),
                  NumberValue(server.statements)}));
    }
  }
  return rows;
}

}  // namespace meridian
