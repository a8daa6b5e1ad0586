#include "proxy/admin/worker_report.h"

#include <utility>

#include "proxy/admin/admin_session.h"
#include "proxy/pool/server_pools.h"
#include "proxy/session/session.h"

namespace meridian {
namespace {

ClientRow::State StateOf(const Session& session) {
  if (session.waiting_for_server()) return ClientRow::State::kWaiting;
  // Between the statements of a transaction a session is not idle() and yet does nothing.
  bool has_server = false;
  session.ForEachServer([&](const Server&) { has_server = true; });
  return session.idle() || !has_server ? ClientRow::State::kIdle : ClientRow::State::kActive;
}

ServerRow::State StateOf(const Server& server) {
  switch (server.state) {
    case Server::State::kLogin:
      return ServerRow::State::kLogin;
    case Server::State::kIdle:
      return ServerRow::State::kIdle;
    case Server::State::kActive:
      return ServerRow::State::kActive;
    case Server::State::kCleaning:
    case Server::State::kClosing:
      break;
  }
  return server.cancels_in_flight > 0 ? ServerRow::State::kCancelling : ServerRow::State::kCleaning;
}

TransactionRow TransactionOf(const Session& session, uint64_t now_us) {
  TransactionRow row{.parts = {},
                     .age_us = session.transaction_age_us(now_us),
                     .failed = session.transaction().failed(),
                     .ending = session.ending()};
  session.ForEachInTransaction([&row](const Server& server, bool wrote) {
    row.parts.push_back({server.pool.key(), server.backend_pid, wrote});
  });
  return row;
}

StatsTotals Growth(const StatsTotals& before, const StatsTotals& now) {
  return {.transactions = now.transactions - before.transactions,
          .queries = now.queries - before.queries,
          .bytes_received = now.bytes_received - before.bytes_received,
          .bytes_sent = now.bytes_sent - before.bytes_sent,
          .transaction_us = now.transaction_us - before.transaction_us,
          .query_us = now.query_us - before.query_us,
          .wait_us = now.wait_us - before.wait_us};
}

}  // namespace

StatsTotals& StatsTotals::operator+=(const StatsTotals& other) {
  transactions += other.transactions;
  queries += other.queries;
  bytes_received += other.bytes_received;
  bytes_sent += other.bytes_sent;
  transaction_us += other.transaction_us;
  query_us += other.query_us;
  wait_us += other.wait_us;
  return *this;
}

void StatsPeriods::OnTick(uint64_t now_us, const StatsTotals& totals) {
  if (now_us - began_us_ < kStatsPeriodUs) return;
  last_ = Growth(at_begin_, totals);
  last_length_us_ = now_us - began_us_;
  at_begin_ = totals;
  began_us_ = now_us;
}

void StatsPeriods::Describe(StatsRow* row) const {
  row->last_period = last_;
  row->period_us = last_length_us_;
}

ClientRow RowOf(const Session& session, uint64_t now_us, std::string application_name,
                SocketFacts socket) {
  ClientRow row;
  row.socket = std::move(socket);
  row.state = StateOf(session);
  row.client_id = session.identity().client_id;
  row.pid = session.identity().pid;
  row.user = session.identity().user;
  row.database = session.identity().database;
  row.application_name = std::move(application_name);
  row.wait_us = session.waited_us(now_us);
  row.closing = session.closing();
  row.transaction_status = session.transaction().status();
  row.pin = session.pin_reason();
  row.statements = session.statements_done();
  session.ForEachServer([&](const Server& server) { row.server_ids.push_back(server.id); });
  if (session.transaction().open()) row.transaction = TransactionOf(session, now_us);
  return row;
}

ClientRow RowOf(const AdminSession& session, SocketFacts socket) {
  ClientRow row;
  row.socket = std::move(socket);
  row.state = session.waiting() ? ClientRow::State::kActive : ClientRow::State::kIdle;
  row.client_id = session.client_id();
  row.user = session.user();
  row.database = kAdminDatabase;
  row.transaction_status = session.transaction_status();
  row.statements = session.statements_done();
  return row;
}

ServerRow RowOf(const Server& server, uint64_t client_id, SocketFacts socket) {
  ServerRow row;
  row.socket = std::move(socket);
  row.state = StateOf(server);
  row.server_id = server.id;
  row.pool = server.pool.key();
  row.pid = server.backend_pid;
  row.closing = server.close_when_released;
  row.transaction_status = server.transaction_status;
  row.statements = server.queries;
  row.prepared = server.prepared.size();
  row.client_id = client_id;
  return row;
}

PoolRow RowOf(const Pool& pool, uint64_t now_us, bool paused) {
  const PoolStats stats = pool.Stats(now_us);
  return {.key = pool.key(),
          .waiting = stats.waiting,
          .oldest_wait_us = stats.oldest_wait_us,
          .paused = paused};
}

}  // namespace meridian
