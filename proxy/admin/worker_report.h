// What one worker tells of its clients, servers and pools, for SHOW CLIENTS, SERVERS, POOLS, STATS,
// LISTS and DATABASES: plain values that travel from the workers to the one that asked.
//
// The functions fill in what sessions and servers know; sockets and wall-clock times are the
// driver's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/pool/pool_types.h"
#include "router/statement.h"

namespace meridian {

class AdminSession;
class Server;
class Session;
class Pool;

// Microseconds since 1970-01-01 00:00 UTC; 0: not known.
using UnixMicros = int64_t;

// What only the driver knows of a connection, ours to a client or ours to a server.
struct SocketFacts {
  std::string address;  // numeric; "unix" for a unix socket
  int port = 0;
  std::string local_address;
  int local_port = 0;
  std::string tls;  // "TLSv1.3/TLS_AES_256_GCM_SHA384/ECDH=X25519"; empty: not encrypted
  UnixMicros connected_at = 0;
  UnixMicros last_request_at = 0;  // 0: none yet
};

// The transaction that a client has open.
struct TransactionRow {
  // One server that has joined it.
  struct Part {
    PoolKey pool;
    uint32_t pid = 0;  // of the backend
    bool wrote = false;
  };
  std::vector<Part> parts;
  uint64_t age_us = 0;
  bool failed = false;
  bool ending = false;  // COMMIT or ROLLBACK runs
};

struct ClientRow {
  // waiting: for a server connection.
  enum class State : uint8_t { kLogin, kIdle, kActive, kWaiting };
  SocketFacts socket;
  State state = State::kLogin;
  uint64_t client_id = 0;
  uint32_t pid = 0;
  std::string user;      // as far as known before the end of the login
  std::string database;  // as the client named it
  std::string application_name;
  uint64_t wait_us = 0;           // of the wait that is under way
  bool closing = false;           // ends as soon as it may
  char transaction_status = 'I';  // as in ReadyForQuery
  PinReason pin = PinReason::kNone;
  uint64_t statements = 0;
  std::vector<uint64_t> server_ids;  // of this worker
  std::optional<TransactionRow> transaction;
};

struct ServerRow {
  enum class State : uint8_t { kLogin, kIdle, kActive, kCleaning, kCancelling };
  SocketFacts socket;
  State state = State::kLogin;
  uint64_t server_id = 0;  // unique in its worker
  PoolKey pool;
  uint32_t pid = 0;      // of the backend
  bool closing = false;  // closed when it is given back
  char transaction_status = 'I';
  uint64_t statements = 0;
  uint64_t prepared = 0;   // statements prepared on it
  uint64_t client_id = 0;  // whom it serves; 0: nobody
};

// Its server connections are counted from the ServerRows.
struct PoolRow {
  PoolKey key;
  uint64_t waiting = 0;
  uint64_t oldest_wait_us = 0;
  bool paused = false;
};

// What a worker has counted since it began. Times in microseconds.
struct StatsTotals {
  uint64_t transactions = 0;
  uint64_t queries = 0;
  uint64_t bytes_received = 0;  // from clients
  uint64_t bytes_sent = 0;      // to clients
  uint64_t transaction_us = 0;
  uint64_t query_us = 0;
  uint64_t wait_us = 0;  // for server connections

  StatsTotals& operator+=(const StatsTotals& other);
  friend bool operator==(const StatsTotals&, const StatsTotals&) = default;
};

struct StatsRow {
  std::string database;  // as clients name it
  StatsTotals totals;
  // What was added in the last whole period (StatsPeriods), for the averages.
  StatsTotals last_period;
  uint64_t period_us = 0;  // 0: there was none yet
};

struct WorkerReport {
  int worker = 0;  // its number
  std::vector<ClientRow> clients;
  std::vector<ServerRow> servers;
  std::vector<PoolRow> pools;
  std::vector<StatsRow> stats;
};

// The length of a period of SHOW STATS' averages (PgBouncer: stats_period).
inline constexpr uint64_t kStatsPeriodUs = 60'000'000;

// Cuts the growth of one worker's totals of one database into periods.
class StatsPeriods {
 public:
  explicit StatsPeriods(uint64_t now_us) : began_us_(now_us) {}
  // Call it about once a second with the totals of now; `now_us` is monotonic.
  void OnTick(uint64_t now_us, const StatsTotals& totals);
  // Fills in the members about the last period.
  void Describe(StatsRow* row) const;

 private:
  uint64_t began_us_;
  StatsTotals at_begin_;
  StatsTotals last_;
  uint64_t last_length_us_ = 0;
};

// `now_us`: monotonic. `socket` and application_name are taken as they are.
ClientRow RowOf(const Session& session, uint64_t now_us, std::string application_name,
                SocketFacts socket);
ClientRow RowOf(const AdminSession& session, SocketFacts socket);
// `client_id`: of the session whose ForEachServer visits it; 0: of none.
ServerRow RowOf(const Server& server, uint64_t client_id, SocketFacts socket);
PoolRow RowOf(const Pool& pool, uint64_t now_us, bool paused);

}  // namespace meridian
