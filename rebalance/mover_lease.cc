#include "rebalance/mover_lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "sharding/catalog/migrate.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kRenewal{1'000};
// The catalog must answer in time for others to be tried again before the lease ends.
constexpr milliseconds kTimeout{2'000};
constexpr milliseconds kMargin{500};

void Sleep(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, time, [] { return false; });
}

std::string LeaseText() { return fmt::format("{} ms", MoverLease::kLease.count()); }

absl::Status TermOver() { return SqlStatus(kTermOver, "another proxy has taken over the moves"); }

}  // namespace

MoverLease::MoverLease(CatalogOptions catalog, std::string proxy)
    : catalog_(std::move(catalog)), proxy_(std::move(proxy)) {
  catalog_.target.connect_timeout = std::min(catalog_.target.connect_timeout, kTimeout);
  catalog_.target.statement_timeout = kTimeout;
  lost_.request_stop();
}

MoverLease::~MoverLease() { Release(); }

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
  auto got = connection->Query(
      "UPDATE mover SET proxy = $1, term = term + 1, lease_until = now() + $2::interval"
      " WHERE lease_until < now() RETURNING term",
      {{proxy_}, {LeaseText()}});
  if (!got.ok()) return got.status();
  if (got->rows() == 0) return false;
  const std::string text = got->Text(0, 0);
  std::from_chars(text.data(), text.data() + text.size(), term_);
  lost_ = std::stop_source();
  renewal_ = std::jthread([this, term = term_](const std::stop_token& stop) { Renew(stop, term); });
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

void MoverLease::Renew(const std::stop_token& stop, uint64_t term) {
  auto until = steady_clock::now() + kLease - kMargin;
  std::optional<PgConnection> connection;
  while (!stop.stop_requested()) {
    Sleep(kRenewal, stop);
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
        until = asked + kLease - kMargin;
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
  auto ended = shard.Query(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
      " WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()",
      {{kMoverApplicationName}});
  if (!ended.ok()) return ended.status();
  return ActAsMover(shard, term);
}

}  // namespace meridian
