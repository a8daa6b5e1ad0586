#include "proxy/control/deadlock_detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "metrics/log.h"
#include "proxy/control/control_settings.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Makes the rows of proxy $1 those of the arrays: clients $2, when their transactions began $3,
// pids $4. Rows of proxies that are gone are dropped.
constexpr char kTellSql[] = R"sql(
WITH wanted AS (
  SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::integer[]) AS w(client_id, began, pid)
), gone AS (
  DELETE FROM meridian.open_transactions o
  WHERE (proxy = $1 AND NOT EXISTS (SELECT FROM wanted w WHERE w.pid = o.pid))
     OR NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = $5 || o.proxy)
)
INSERT INTO meridian.open_transactions (proxy, client_id, began, pid)
SELECT $1, client_id, began, pid FROM wanted
ON CONFLICT (proxy, pid) DO UPDATE SET client_id = excluded.client_id, began = excluded.began)sql";

constexpr char kOwnersSql[] = R"sql(
SELECT pid, proxy || '/' || client_id, began FROM meridian.open_transactions)sql";

constexpr char kWaitsSql[] = R"sql(
SELECT w.pid, w.query_start, b.pid, b.xact_start
FROM pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) AS blocker(pid)
JOIN pg_stat_activity b ON b.pid = blocker.pid
WHERE w.wait_event_type = 'Lock' AND w.datname = current_database())sql";

template <typename Range, typename Text>
std::string ArrayOf(const Range& range, Text text) {
  std::string array = "{";
  for (const auto& each : range) array += (array.size() > 1 ? "," : "") + text(each);
  return array + "}";
}

}  // namespace

DeadlockDetector::DeadlockDetector(ShardAccess access, std::string proxy, CurrentSnapshot current,
                                   OpenTransactions& transactions, ProcessMetrics& metrics)
    : access_([&] {
        access.login.statement_timeout = kShardTimeout;
        access.login.connect_timeout = std::min(access.login.connect_timeout, kShardTimeout);
        access.login.application_name = fmt::format("meridian deadlocks {}", proxy);
        return std::move(access);
      }()),
      proxy_(std::move(proxy)),
      current_(std::move(current)),
      transactions_(transactions),
      metrics_(metrics) {}

DeadlockDetector::~DeadlockDetector() { Stop(); }

void DeadlockDetector::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void DeadlockDetector::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void DeadlockDetector::Run(const std::stop_token& stop) {
  ShardAccess access = access_;
  access.login.stop = stop;
  connections_.emplace(std::move(access));
  std::mutex mu;
  std::condition_variable_any wake;
  while (!stop.stop_requested()) {
    Look();
    std::unique_lock lock(mu);
    wake.wait_for(lock, stop, kInterval, [] { return false; });
  }
}

WaiterKey DeadlockDetector::KeyOf(const OpenTransaction& own) const {
  return fmt::format("{}/{}", proxy_, own.client_id);
}

void DeadlockDetector::Look() {
  std::vector<OpenTransaction> own = transactions_.OnSeveralShards();
  std::erase_if(own, [](const OpenTransaction& transaction) {
    return std::chrono::microseconds(transaction.age_us) < kPatience;
  });
  if (own.empty()) {
    seen_.clear();
    began_.clear();
    const bool nothing_told = std::all_of(told_.begin(), told_.end(),
                                          [](const auto& told) { return told.second.empty(); });
    if (nothing_told) return;
  }
  const std::shared_ptr<const Snapshot> snapshot = current_();
  View view;
  for (const Shard& shard : snapshot->map->shards()) {
    auto connection = connections_->To(*snapshot, shard.name);
    if (!connection.ok()) continue;  // its monitor tells
    std::set<Work> work;
    for (const OpenTransaction& transaction : own) {
      for (const OpenTransaction::Part& part : transaction.parts) {
        if (part.shard != shard.name) continue;
        work.insert({transaction.client_id, BeganOf(transaction), part.pid});
      }
    }
    absl::Status done;
    if (const auto told = told_.find(shard.name); told == told_.end() || told->second != work) {
      done = TellShard(**connection, work);
    }
    if (done.ok()) done = AskShard(**connection, shard.name, &view);
    if (done.ok()) {
      told_[shard.name] = std::move(work);
    } else {
      connections_->Drop(shard.name);
      told_.erase(shard.name);
    }
  }
  const std::set<Wait> before = std::exchange(seen_, view.waits);
  std::vector<WaitEdge> edges;
  for (const Wait& wait : view.waits) {
    if (!before.contains(wait)) continue;
    const auto key = [&](const std::string& pid) {
      const auto owner = view.owners.find({wait.shard, pid});
      return owner == view.owners.end() ? fmt::format("process {} of {}", pid, wait.shard)
                                        : owner->second;
    };
    edges.push_back({wait.shard, key(wait.waiter_pid), key(wait.blocker_pid)});
  }
  for (const DeadlockVictim& victim : FindDeadlocks(edges, view.began)) Cancel(own, victim);
}

int64_t DeadlockDetector::BeganOf(const OpenTransaction& transaction) {
  const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  const auto added = began_.emplace(std::pair(transaction.client_id, transaction.began_us),
                                    now_us - static_cast<int64_t>(transaction.age_us));
  return added.first->second;
}

absl::Status DeadlockDetector::TellShard(PgConnection& connection, const std::set<Work>& work) {
  const auto text = [](auto member) {
    return [member](const Work& one) { return std::to_string(one.*member); };
  };
  return connection
      .Query(kTellSql, {{proxy_},
                        {ArrayOf(work, text(&Work::client_id))},
                        {ArrayOf(work, text(&Work::began))},
                        {ArrayOf(work, text(&Work::pid))},
                        {kRecoveryApplicationName}})
      .status();
}

absl::Status DeadlockDetector::AskShard(PgConnection& connection, const std::string& shard,
                                        View* view) {
  auto owners = connection.Query(kOwnersSql);
  if (!owners.ok()) return owners.status();
  for (size_t row = 0; row < owners->rows(); ++row) {
    view->owners[{shard, owners->Text(row, 0)}] = owners->Text(row, 1);
    view->began[owners->Text(row, 1)] = std::stoll(owners->Text(row, 2));
  }
  auto waits = connection.Query(kWaitsSql);
  if (!waits.ok()) return waits.status();
  for (size_t row = 0; row < waits->rows(); ++row) {
    view->waits.insert({shard, waits->Text(row, 0), waits->Text(row, 1), waits->Text(row, 2),
                        waits->Text(row, 3)});
  }
  return absl::OkStatus();
}

void DeadlockDetector::Cancel(const std::vector<OpenTransaction>& own,
                              const DeadlockVictim& victim) {
  const auto found = std::find_if(own.begin(), own.end(), [&](const OpenTransaction& transaction) {
    return KeyOf(transaction) == victim.key;
  });
  if (found == own.end()) return;  // its own proxy does it
  LogInfo("deadlock over several shards",
          {{"client", found->client_id}, {"circle", victim.detail}});
  metrics_.deadlocks.Add();
  transactions_.CancelDeadlocked(found->client_id, found->began_us, victim.detail);
}

}  // namespace meridian
