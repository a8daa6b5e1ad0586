#include "rebalance/pressure.h"

#include <cstdlib>

namespace meridian {
namespace {

// A replica that has stopped says nothing of its lag; what it has not replayed grows.
constexpr double kBacklogMax = 256.0 * (1 << 20);
// Of what a slot may keep.
constexpr double kSlotShare = 0.5;

double Number(const PgResult& result, size_t column) {
  return std::strtod(result.Text(0, column).c_str(), nullptr);
}

}  // namespace

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
