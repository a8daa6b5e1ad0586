#include "rebalance/pressure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace meridian {
namespace {

// A replica that has stopped says nothing of its lag; what it has not replayed grows.
constexpr double kBacklogMax = 256.0 * (1 << 20);
// Of what a slot may keep.
constexpr double kSlotShare = 0.5;
// What latency may become, as a multiple of what it was; and what always may come on top.
constexpr double kLatencyFactor = 1.25;
constexpr double kLatencySlackUs = 100;
// Fewer say nothing.
constexpr int kSamplesMin = 20;

double Number(const PgResult& result, size_t column) {
  return std::strtod(result.Text(0, column).c_str(), nullptr);
}

}  // namespace

absl::Status NoteLatencyBefore(PgConnection& catalog, uint64_t move) {
  const auto now = [](const char* column) {
    return fmt::format(
        "(SELECT max(p99_us) FROM shard_latency WHERE shard = {} AND samples >= {} AND at > now() -"
        " interval '5 s')",
        column, kSamplesMin);
  };
  return catalog
      .Query(fmt::format("UPDATE moves SET source_latency_us = coalesce(source_latency_us, {}),"
                         " target_latency_us = coalesce(target_latency_us, {}) WHERE move = $1",
                         now("source"), now("target")),
             {{std::to_string(move)}})
      .status();
}

absl::StatusOr<std::vector<Pressure>> LatencyPressure(PgConnection& catalog, uint64_t move,
                                                      std::string& seen) {
  auto rows = catalog.Query(
      fmt::format("SELECT max(l.p99_us), max(s.latency_us), s.shard, max(l.at) FROM moves m,"
                  " LATERAL (VALUES (m.source, m.source_latency_us), (m.target, "
                  "m.target_latency_us)) s (shard, latency_us) JOIN shard_latency l ON l.shard ="
                  " s.shard WHERE m.move = $1 AND s.latency_us IS NOT NULL AND l.samples >= {} AND"
                  " l.at > now() - interval '5 s' GROUP BY s.shard ORDER BY s.shard",
                  kSamplesMin),
      {{std::to_string(move)}});
  if (!rows.ok()) return rows.status();
  std::vector<Pressure> pressures;
  std::string newest = seen;
  for (size_t r = 0; r < rows->rows(); ++r) {
    const std::string at = rows->Text(r, 3);
    if (at <= seen) continue;
    newest = std::max(newest, at);
    const double now = std::strtod(rows->Text(r, 0).c_str(), nullptr);
    const double before = std::strtod(rows->Text(r, 1).c_str(), nullptr);
    pressures.push_back({fmt::format("latency of clients on {}", rows->Text(r, 2)), now,
                         before * kLatencyFactor + kLatencySlackUs});
  }
  seen = newest;
  return pressures;
}

absl::StatusOr<std::vector<Pressure>> ReplicaPressure(PgConnection& shard, const std::string& whose,
                                                      std::chrono::milliseconds max_lag) {
  auto lag = shard.Query(
      "SELECT coalesce(max(extract(epoch FROM replay_lag)) * 1000, 0),"
      " coalesce(max(pg_current_wal_lsn() - replay_lsn), 0) FROM pg_stat_replication r"
      " WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid"
      " AND s.slot_type = 'logical')");
  if (!lag.ok()) return lag.status();
  return std::vector<Pressure>{
      {"replica lag of the " + whose, Number(*lag, 0), static_cast<double>(max_lag.count())},
      {"replica backlog of the " + whose, Number(*lag, 1), kBacklogMax}};
}

absl::StatusOr<std::vector<Pressure>> SlotPressure(PgConnection& source,
                                                   const std::string& slot_prefix) {
  auto kept = source.Query(
      "SELECT coalesce(max(pg_current_wal_lsn() - restart_lsn), 0), (SELECT setting::numeric *"
      " 1048576 FROM pg_settings WHERE name = 'max_slot_wal_keep_size') FROM pg_replication_slots"
      " WHERE starts_with(slot_name, $1)",
      {{slot_prefix}});
  if (!kept.ok()) return kept.status();
  if (Number(*kept, 1) < 0) return std::vector<Pressure>{};  // as much as there is
  return std::vector<Pressure>{
      {"log kept for the slot", Number(*kept, 0), Number(*kept, 1) * kSlotShare}};
}

}  // namespace meridian
