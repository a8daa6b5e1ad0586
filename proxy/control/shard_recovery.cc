#include "proxy/control/shard_recovery.h"

#include <fmt/format.h>

#include <utility>

#include "metrics/fault_points.h"
#include "metrics/log.h"
#include "proxy/control/control_settings.h"
#include "proxy/control/transaction_name.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Clock = PreparedBoard::Clock;

// What was asked of a shard longer ago than this says nothing of now.
constexpr std::chrono::seconds kBoardIsFresh{60};
constexpr std::chrono::seconds kPruneInterval{60};
constexpr int kPruneRowsMax = 10'000;
constexpr std::string_view kLockNotAvailable = "55P03";

// $1: this proxy. A proxy lives that has a connection of its own here.
constexpr char kPreparedSql[] = R"sql(
SELECT p.gid, p.owner, (extract(epoch FROM clock_timestamp() - p.prepared) * 1000)::int8,
  EXISTS (SELECT FROM pg_stat_activity a
          WHERE a.application_name = $1 || split_part(p.gid, '_', 2))
FROM pg_prepared_xacts p
WHERE p.database = current_database() AND p.gid LIKE 'meridian\_%'
ORDER BY p.prepared)sql";

// $1: how old, $2: names that are still prepared somewhere, $3: how many rows. A record that says
// "rolled back" also stops the transaction that would lead: it stays while one runs that began
// before.
constexpr char kPruneSql[] = R"sql(
DELETE FROM meridian.decisions d WHERE d.ctid = ANY (ARRAY(
  SELECT ctid FROM meridian.decisions
  WHERE decided_at < now() - $1::interval AND name <> ALL ($2::text[])
    AND (committed OR NOT EXISTS (
      SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend' AND xact_start <= decided_at))
  ORDER BY decided_at LIMIT $3::int)))sql";

// A name of ours has no character that would need an escape.
std::string ArrayOf(const std::set<std::string>& names) {
  return fmt::format("{{{}}}", fmt::join(names, ","));
}

std::string WhyOf(const absl::Status& status) { return ToSqlError(status).message; }

}  // namespace

ShardRecovery::ShardRecovery(ShardAccess access, std::string shard, std::string proxy,
                             const TransactionsInFlight& in_flight, PreparedBoard& board,
                             std::chrono::milliseconds records_kept)
    : shard_(std::move(shard)),
      proxy_(std::move(proxy)),
      in_flight_(in_flight),
      board_(board),
      records_kept_(records_kept),
      connections_([&] {
        access.login.application_name = kRecoveryApplicationName + proxy_;
        return std::move(access);
      }()) {}

absl::StatusOr<ShardRecovery::Finished> ShardRecovery::Round(const Snapshot& snapshot) {
  Finished finished;
  auto connection = connections_.To(snapshot, shard_);
  if (!connection.ok()) return connection.status();
  const Clock::time_point asked = Clock::now();
  auto rows = (*connection)->Query(kPreparedSql, {{kRecoveryApplicationName}});
  if (!rows.ok()) return rows.status();
  std::vector<PreparedTransaction> prepared;
  for (size_t row = 0; row < rows->rows(); ++row) {
    PreparedTransaction one{.name = rows->Text(row, 0),
                            .owner = rows->Text(row, 1),
                            .shard = shard_,
                            .age_ms = std::stoll(rows->Text(row, 2)),
                            .why = {}};
    const auto name = ParseTransactionName(one.name);
    if (!name) continue;
    const bool own = name->proxy == proxy_;
    const bool lives = own ? in_flight_.Has(one.name) : rows->Get(row, 3) == "t";
    if (lives) {
      one.why = own ? "this proxy is committing it" : "another proxy is committing it";
    } else if (!own && one.age_ms < kGraceOfOthers.count()) {
      one.why = "its proxy may be back in a moment";
    } else {
      auto committed = Finish(snapshot, one);
      if (committed.ok()) {
        ++(*committed ? finished.committed : finished.rolled_back);
        continue;
      }
      one.in_doubt = true;
      one.why = WhyOf(committed.status());
    }
    prepared.push_back(std::move(one));
  }
  board_.Set(shard_, std::move(prepared), asked);
  if (!pruned_ || Clock::now() - *pruned_ > kPruneInterval) {
    pruned_ = Clock::now();
    if (absl::Status done = Prune(snapshot); !done.ok()) return done;
  }
  return finished;
}

absl::StatusOr<bool> ShardRecovery::AskLead(const Snapshot& snapshot, const std::string& token,
                                            const PreparedTransaction& prepared) {
  for (const Shard& shard : snapshot.map->shards()) {
    if (ShardToken(shard.name) != token) continue;
    auto lead = connections_.To(snapshot, shard.name);
    if (!lead.ok()) return lead.status();
    auto outcome =
        (*lead)->Query("SELECT meridian.resolve($1, $2)", {{prepared.name}, {prepared.owner}});
    if (outcome.ok()) return outcome->Get(0, 0) == "t";
    if (ToSqlError(outcome.status()).sqlstate != kLockNotAvailable) return outcome.status();
    return SqlStatus(kLockNotAvailable,
                     fmt::format("its lead, shard \"{}\", has not decided yet", shard.name));
  }
  return SqlStatus(sqlstate::kUndefinedObject,
                   fmt::format("its lead shard \"{}\" is not in the map", token));
}

absl::StatusOr<bool> ShardRecovery::Finish(const Snapshot& snapshot,
                                           const PreparedTransaction& prepared) {
  const auto committed = AskLead(snapshot, ParseTransactionName(prepared.name)->lead, prepared);
  if (!committed.ok()) return committed;
  FaultPoint("recovery.resolved");
  auto connection = connections_.To(snapshot, shard_);
  if (!connection.ok()) return connection.status();
  const std::string command = *committed ? "COMMIT" : "ROLLBACK";
  auto done = (*connection)->Query(fmt::format("{} PREPARED '{}'", command, prepared.name));
  if (!done.ok() && ToSqlError(done.status()).sqlstate != sqlstate::kUndefinedObject) {
    return done.status();  // 42704: another proxy was faster
  }
  FaultPoint("recovery.finished");
  LogInfo("prepared transaction finished", {{"transaction", prepared.name},
                                            {"shard", shard_},
                                            {"owner", prepared.owner},
                                            {"by", command},
                                            {"age_ms", prepared.age_ms}});
  return committed;
}

absl::Status ShardRecovery::Prune(const Snapshot& snapshot) {
  const auto still = board_.NamesSince(*snapshot.map, Clock::now() - kBoardIsFresh);
  if (!still) return absl::OkStatus();  // who was not asked may still want to know
  auto connection = connections_.To(snapshot, shard_);
  if (!connection.ok()) return connection.status();
  return (*connection)
      ->Query(kPruneSql, {{fmt::format("{} ms", records_kept_.count())},
                          {ArrayOf(*still)},
                          {std::to_string(kPruneRowsMax)}})
      .status();
}

}  // namespace meridian
