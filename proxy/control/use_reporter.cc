#include "proxy/control/use_reporter.h"

#include <fmt/format.h>

#include <vector>

#include "sharding/catalog/histogram_array.h"
#include "sharding/catalog/text_array.h"

namespace meridian {

absl::Status UseReporter::Tell(PgConnection& catalog) {
  const auto now = std::chrono::steady_clock::now();
  if (now - told_at_ < kInterval) return absl::OkStatus();
  const std::chrono::duration<double> seconds = now - told_at_;
  told_at_ = now;
  meter_.Add(transactions_.TakeUse(), seconds.count());
  if (absl::Status told = TellLatencies(catalog); !told.ok()) return told;
  return ++told_ % kLoadEvery == 0 ? TellLoads(catalog) : absl::OkStatus();
}

absl::Status UseReporter::TellLatencies(PgConnection& catalog) const {
  std::vector<std::string> shards, recent, usual;
  for (const auto& [shard, latency] : meter_.Latencies()) {
    shards.push_back(shard);
    recent.push_back(FormatHistogram(latency.recent));
    usual.push_back(FormatHistogram(latency.usual));
  }
  if (shards.empty()) return absl::OkStatus();
  return catalog
      .Query(
          "INSERT INTO shard_latency (proxy, shard, recent, usual) SELECT $1, shard,"
          " recent::bigint[], usual::bigint[] FROM unnest($2::text[], $3::text[], $4::text[])"
          " u (shard, recent, usual) ON CONFLICT (proxy, shard) DO UPDATE SET recent ="
          " EXCLUDED.recent, usual = EXCLUDED.usual, at = now()",
          {{proxy_},
           {FormatTextArray(shards)},
           {FormatTextArray(recent)},
           {FormatTextArray(usual)}})
      .status();
}

absl::Status UseReporter::TellLoads(PgConnection& catalog) const {
  std::vector<std::string> ranges, statements, busy, keys;
  for (const auto& [range, load] : meter_.Loads()) {
    ranges.push_back(range);
    statements.push_back(fmt::format("{:.3f}", load.statements_per_s));
    busy.push_back(fmt::format("{:.1f}", load.busy_us_per_s));
    std::vector<std::string> points;
    for (const RangeUseReport::Key& key : load.keys) points.push_back(FormatTextArray(key));
    keys.push_back(FormatTextArray(points));
  }
  if (ranges.empty()) return absl::OkStatus();
  return catalog
      .Query(
          "INSERT INTO range_load (proxy, range, statements_per_s, busy_us_per_s, keys)"
          " SELECT $1, range, statements, busy, keys::text[] FROM unnest($2::text[], $3::float8[],"
          " $4::float8[], $5::text[]) u (range, statements, busy, keys) ON CONFLICT (proxy, range)"
          " DO UPDATE SET statements_per_s = EXCLUDED.statements_per_s, busy_us_per_s ="
          " EXCLUDED.busy_us_per_s, keys = EXCLUDED.keys, at = now()",
          {{proxy_},
           {FormatTextArray(ranges)},
           {FormatTextArray(statements)},
           {FormatTextArray(busy)},
           {FormatTextArray(keys)}})
      .status();
}

}  // namespace meridian
