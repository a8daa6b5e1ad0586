#include "proxy/net/worker_reports.h"

#include <chrono>
#include <map>

#include "proxy/net/socket_ends.h"
#include "proxy/net/worker.h"

namespace meridian {
namespace {

void SetEnds(const Stream& stream, SocketFacts* facts) {
  SocketEnds ends = EndsOf(stream);
  facts->address = std::move(ends.peer);
  facts->port = ends.peer_port;
  facts->local_address = std::move(ends.local);
  facts->local_port = ends.local_port;
}

// Turns the loop's monotonic times into times of day.
class WallClock {
 public:
  explicit WallClock(uint64_t now_us)
      : offset_us_(std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count() -
                   static_cast<int64_t>(now_us)) {}
  UnixMicros At(uint64_t monotonic_us) const {
    return monotonic_us == 0 ? 0 : offset_us_ + static_cast<int64_t>(monotonic_us);
  }

 private:
  int64_t offset_us_;
};

SocketFacts FactsOf(const ClientConnection& client, const WallClock& clock) {
  SocketFacts facts;
  SetEnds(client.stream(), &facts);
  facts.connected_at = clock.At(client.opened_us());
  facts.last_request_at = clock.At(client.active_us());
  return facts;
}

SocketFacts FactsOf(const Server& server, const WallClock& clock) {
  SocketFacts facts;
  const auto* connection = static_cast<const ServerConnection*>(server.handle);
  if (connection == nullptr) return facts;
  SetEnds(connection->stream(), &facts);
  facts.connected_at = clock.At(server.opened_us);
  return facts;
}

ClientRow RowOfLogin(const ClientConnection& client, SocketFacts socket) {
  ClientRow row;
  row.socket = std::move(socket);
  row.client_id = client.id();
  row.user = client.user();
  row.database = client.database();
  return row;
}

std::string ApplicationName(const Session& session) {
  const std::string* name = session.settings().Find("application_name");
  return name == nullptr ? std::string() : *name;
}

}  // namespace

WorkerReport ReportOf(Worker& worker, int number) {
  WorkerReport report;
  report.worker = number;
  const uint64_t now_us = worker.NowUs();
  const WallClock clock(now_us);
  std::map<uint64_t, uint64_t> client_of;  // by server id
  worker.ForEachClient([&](ClientConnection& client) {
    SocketFacts facts = FactsOf(client, clock);
    if (const Session* session = client.session()) {
      report.clients.push_back(
          RowOf(*session, now_us, ApplicationName(*session), std::move(facts)));
      session->ForEachServer([&](Server& server) { client_of[server.id] = client.id(); });
    } else if (client.admin() != nullptr) {
      report.clients.push_back(RowOf(*client.admin(), std::move(facts)));
    } else {
      report.clients.push_back(RowOfLogin(client, std::move(facts)));
    }
  });
  worker.pools().ForEachServer([&](Server& server) {
    const auto client = client_of.find(server.id);
    report.servers.push_back(
        RowOf(server, client == client_of.end() ? 0 : client->second, FactsOf(server, clock)));
  });
  worker.pools().ForEachPool([&](Pool& pool) {
    report.pools.push_back(RowOf(pool, now_us, worker.pools().IsPaused(pool.key().node)));
  });
  worker.ForEachDatabase([&](const std::string& name, const DatabaseStats& stats) {
    StatsRow& row = report.stats.emplace_back();
    row.database = name;
    row.totals = stats.totals;
    stats.periods.Describe(&row);
  });
  return report;
}

}  // namespace meridian
