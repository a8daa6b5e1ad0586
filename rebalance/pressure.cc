#include "rebalance/pressure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "metrics/histogram.h"
#include "sharding/catalog/histogram_array.h"

namespace meridian {
namespace {

// A replica that has stopped says nothing of its lag; what it has not replayed grows.
constexpr double kBacklogMax = 256.0 * (1 << 20);
// Of what a slot may keep.
constexpr double kSlotShare = 0.5;
// Slow is what takes longer than so many did before. How many more of them there may be now, and
// how many always may, since a few are chance.
constexpr double kNotSlow = 0.95;
constexpr double kSlowFactor = 2.5;
constexpr double kSlowSamples = 2;
// Fewer say nothing.
constexpr uint64_t kSamplesMin = 20;
// What a report is about is this old at most (proxy/control/use_meter.h); a little less.
constexpr char kReportSpan[] = "1.5 s";

double Number(const PgResult& result, size_t column) {
  return std::strtod(result.Text(0, column).c_str(), nullptr);
}

// Of 100, how many took longer; `us` is the bound of a bucket.
double SlowShare(const HistogramTotals& totals, uint64_t us) {
  uint64_t slow = 0;
  for (size_t i = HistogramBuckets::Index(us) + 1; i < totals.buckets.size(); ++i) {
    slow += totals.buckets[i];
  }
  return 100 * static_cast<double>(slow) / static_cast<double>(totals.count);
}

HistogramTotals HistogramAt(const PgResult& rows, size_t row, size_t column) {
  return ParseHistogram(rows.Text(row, column)).value_or(HistogramTotals{});
}

}  // namespace

absl::Status NoteLatencyBefore(PgConnection& catalog, uint64_t move) {
  for (const std::string side : {"source", "target"}) {
    auto rows = catalog.Query(
        fmt::format("SELECT l.usual FROM moves m JOIN shard_latency l ON l.shard = m.{0}"
                    " WHERE m.move = $1 AND m.{0}_usual IS NULL AND l.at > now() - interval '5 s'",
                    side),
        {{std::to_string(move)}});
    if (!rows.ok()) return rows.status();
    HistogramTotals usual;
    for (size_t r = 0; r < rows->rows(); ++r) usual.Add(HistogramAt(*rows, r, 0));
    if (usual.count < kSamplesMin) continue;
    auto noted = catalog.Query(fmt::format("UPDATE moves SET {}_usual = $2 WHERE move = $1", side),
                               {{std::to_string(move)}, {FormatHistogram(usual)}});
    if (!noted.ok()) return noted.status();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Pressure>> LatencyPressure(PgConnection& catalog, uint64_t move,
                                                      LatencySeen& seen) {
  auto rows = catalog.Query(
      "SELECT s.shard, s.usual, l.recent, l.at, max(l.at) OVER (PARTITION BY s.shard) >"
      " coalesce(nullif($2, '')::timestamptz + $3::interval, '-infinity') FROM moves m, LATERAL"
      " (VALUES (m.source, m.source_usual), (m.target, m.target_usual)) s (shard, usual)"
      " JOIN shard_latency l ON l.shard = s.shard WHERE m.move = $1 AND s.usual IS NOT NULL"
      " AND l.at > now() - interval '5 s' ORDER BY s.shard",
      {{std::to_string(move)}, {seen.at}, {seen.pressed ? kReportSpan : "0"}});
  if (!rows.ok()) return rows.status();
  struct Latency {
    HistogramTotals usual, recent;
  };
  std::map<std::string, Latency> shards;
  std::string newest;
  for (size_t r = 0; r < rows->rows(); ++r) {
    if (rows->Text(r, 4) != "t") continue;
    newest = std::max(newest, rows->Text(r, 3));
    Latency& shard = shards[rows->Text(r, 0)];
    shard.usual = HistogramAt(*rows, r, 1);
    shard.recent.Add(HistogramAt(*rows, r, 2));
  }
  std::vector<Pressure> pressures;
  for (const auto& [name, shard] : shards) {
    if (shard.recent.count < kSamplesMin || shard.usual.count == 0) continue;
    const uint64_t slow_us = shard.usual.Quantile(kNotSlow);
    pressures.push_back({fmt::format("latency of clients on {}", name),
                         SlowShare(shard.recent, slow_us),
                         kSlowFactor * SlowShare(shard.usual, slow_us) +
                             100 * kSlowSamples / static_cast<double>(shard.recent.count)});
  }
  if (newest.empty()) return pressures;
  seen = {newest, std::any_of(pressures.begin(), pressures.end(),
                              [](const Pressure& one) { return one.now > one.limit; })};
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
