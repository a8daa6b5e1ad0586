#include "rebalance/mover_lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "sharding/catalog/migrate.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Of the lease: how often it is renewed, how long the catalog may take to answer, and how far
// clocks may differ.
constexpr int kRenewals = 6;
constexpr int kTimeouts = 3;
constexpr int kMargins = 10;

void Sleep(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, time, [] { return false; });
}

absl::Status TermOver() { return SqlStatus(kTermOver, "another proxy has taken over the moves"); }

}  // namespace

MoverLease::MoverLease(CatalogOptions catalog, std::string proxy, milliseconds lease)
    : catalog_(std::move(catalog)), proxy_(std::move(proxy)), lease_(std::max(lease, kLeaseMin)) {
  catalog_.target.connect_timeout = std::min(catalog_.target.connect_timeout, lease_ / kTimeouts);
  catalog_.target.statement_timeout = lease_ / kTimeouts;
  lost_.request_stop();
}

MoverLease::~MoverLease() { Release(); }

milliseconds MoverLease::Trusted() const { return lease_ - lease_ / kMargins; }

std::string MoverLease::LeaseText() const { return fmt::format("{} ms", lease_.count()); }

absl::StatusOr<PgConnection> MoverLease::Connect() const {
  auto connection = PgConnection::Connect(catalog_.target);
  if (!connection.ok()) return connection;
  absl::Status ready = PrepareCatalogSession(*connection, catalog_.schema);
  if (!ready.ok()) return ready;
  return connection;
}

absl::StatusOr<bool> MoverLease::Acquire() {
  if (!lost_.stop_requested()) return true;
  Release();
  auto connection = Connect();
  if (!connection.ok()) return connection.status();
  const auto asked = steady_clock::now();
  auto got = connection->Query(
      "UPDATE mover SET proxy = $1, term = term + 1, lease_until = now() + $2::interval"
      " WHERE lease_until < now() RETURNING term, tag",
      {{proxy_}, {LeaseText()}});
  if (!got.ok()) return got.status();
  if (got->rows() == 0) return false;
  term_ = got->Number(0, 0);
  tag_ = got->Text(0, 1);
  lost_ = std::stop_source();
  renewal_ = std::jthread([this, term = term_, until = asked + Trusted()](
                              const std::stop_token& stop) { Renew(stop, term, until); });
  return true;
}

void MoverLease::Release() {
  lost_.request_stop();
  if (!renewal_.joinable()) return;
  renewal_.request_stop();
  renewal_.join();
  renewal_ = {};
  auto connection = Connect();
  if (!connection.ok()) return;
  connection
      ->Query("UPDATE mover SET lease_until = '-infinity' WHERE term = $1",
              {{std::to_string(term_)}})
      .IgnoreError();
}

void MoverLease::Renew(const std::stop_token& stop, uint64_t term, steady_clock::time_point until) {
  std::optional<PgConnection> connection;
  while (!stop.stop_requested()) {
    Sleep(lease_ / kRenewals, stop);
    if (stop.stop_requested()) return;
    if (!connection || connection->broken()) {
      connection.reset();
      auto again = Connect();
      if (again.ok()) connection.emplace(*std::move(again));
    }
    if (connection) {
      const auto asked = steady_clock::now();
      auto renewed =
          connection->Query("UPDATE mover SET lease_until = now() + $2::interval WHERE term = $1",
                            {{std::to_string(term)}, {LeaseText()}});
      if (renewed.ok() && renewed->affected() == 1) {
        until = asked + Trusted();
        continue;
      }
      if (renewed.ok()) break;  // somebody else is the mover
    }
    if (steady_clock::now() >= until) break;
  }
  lost_.request_stop();
}

absl::Status RequireTerm(PgConnection& catalog, uint64_t term) {
  auto mine =
      catalog.Query("SELECT 1 FROM mover WHERE term = $1 FOR SHARE", {{std::to_string(term)}});
  if (!mine.ok()) return mine.status();
  return mine->rows() == 1 ? absl::OkStatus() : TermOver();
}

absl::Status ActAsMover(PgConnection& shard, uint64_t term) {
  return shard.Query("SELECT meridian.act_as_mover($1)", {{std::to_string(term)}}).status();
}

absl::Status EndOtherMovers(PgConnection& shard, uint64_t term) {
  constexpr std::string_view kOthers =
      " FROM pg_stat_activity WHERE application_name = current_setting('application_name')"
      " AND datname = current_database() AND pid <> pg_backend_pid()";
  auto ended = shard.Query(fmt::format("SELECT pg_terminate_backend(pid, 5000){}", kOthers));
  if (!ended.ok()) return ended.status();
  auto left = shard.Query(fmt::format("SELECT min(pid){} HAVING count(*) > 0", kOthers));
  if (!left.ok()) return left.status();
  if (left->rows() > 0) {
    return SqlStatus(sqlstate::kObjectInUse,
                     fmt::format("process {} of the shard does not end, which an earlier mover has"
                                 " left there",
                                 left->Number(0, 0)));
  }
  return ActAsMover(shard, term);
}

std::string MoverApplicationName(uint64_t move, bool back) {
  return fmt::format("meridian mover, move {}{}", move, back ? " back" : "");
}

}  // namespace meridian
