#include "sharding/admin/show_moves.h"

#include <absl/types/span.h>
#include <fmt/format.h>

#include <string_view>

namespace meridian {
namespace {

struct Shown {
  std::string_view name;
  uint32_t type;
  std::string_view sql;
};
constexpr Shown kMoveColumns[] = {
    {"move", type_oid::kInt8, "move"},
    {"range", type_oid::kText, "range"},
    {"source", type_oid::kText, "source"},
    {"target", type_oid::kText, "target"},
    {"phase", type_oid::kText, "phase"},
    {"state", type_oid::kText,
     "CASE WHEN ended_at IS NOT NULL THEN phase"
     " WHEN phase IN ('switched', 'cleaning') THEN 'running'"
     " WHEN wish = 'cancel' OR phase = 'cancelling' THEN 'cancelling'"
     " WHEN wish = 'pause' THEN 'paused'"
     " WHEN back AND wish = 'reverse' AND error IS NULL THEN 'reversing'"
     " WHEN phase = 'reversible' AND error IS NULL THEN 'reversible' WHEN error IS NOT NULL THEN "
     "'waiting' ELSE 'running' END"},
    {"progress", type_oid::kFloat8,
     "CASE WHEN ended_at IS NOT NULL AND phase = 'done' THEN 1.0 WHEN bytes_expected > 0"
     " THEN round(least(1.0, (bytes_moved + bytes_copied)::numeric / bytes_expected), 3) END"},
    {"slices", type_oid::kInt4, "slices"},
    {"rows_copied", type_oid::kInt8, "rows_moved + rows_copied"},
    {"rows_expected", type_oid::kInt8, "rows_expected"},
    {"bytes_copied", type_oid::kInt8, "bytes_moved + bytes_copied"},
    {"bytes_expected", type_oid::kInt8, "bytes_expected"},
    {"rate", type_oid::kInt8, "rate"},
    {"eta_s", type_oid::kInt8,
     "CASE WHEN ended_at IS NOT NULL OR wish <> 'run' THEN NULL WHEN bytes_moved > 0 THEN"
     " (extract(epoch FROM now() - began_at) * greatest(0, bytes_expected - bytes_moved"
     " - bytes_copied) / (bytes_moved + bytes_copied))::bigint"
     " WHEN phase = 'copying' AND rate > 0"
     " THEN greatest(0, bytes_expected - bytes_moved - bytes_copied) / rate END"},
    {"changes_applied", type_oid::kInt8, "changes_applied"},
    {"lag_bytes", type_oid::kInt8, "lag_bytes"},
    {"lag_ms", type_oid::kInt8, "lag_ms"},
    {"log_kept_bytes", type_oid::kInt8, "log_kept_bytes"},
    {"throttled_by", type_oid::kText, "throttled_by"},
    {"verified", type_oid::kBool,
     "CASE WHEN NOT verify THEN NULL WHEN verified THEN 't' ELSE 'f' END"},
    {"copies", type_oid::kInt4, "copies"},
    {"cutovers", type_oid::kInt4, "cutovers"},
    {"pause_ms", type_oid::kFloat8, "round(pause_us / 1000.0, 1)"},
    {"message", type_oid::kText, "coalesce(error, failure)"},
    {"max_rate", type_oid::kInt8, "max_rate"},
    {"slice_size", type_oid::kInt8, "slice_size"},
    {"verify", type_oid::kBool, "CASE WHEN verify THEN 't' ELSE 'f' END"},
    {"reversible", type_oid::kBool, "CASE WHEN reversible THEN 't' ELSE 'f' END"},
    {"replica_identity", type_oid::kText, "CASE WHEN full_identity THEN 'full' ELSE 'default' END"},
    {"asked_by", type_oid::kText, "asked_by"},
    {"asked_at", type_oid::kTimestamptz, "asked_at"},
    {"phase_since", type_oid::kTimestamptz, "phase_since"},
    {"ended_at", type_oid::kTimestamptz, "ended_at"},
};

constexpr Shown kRebalancerColumns[] = {
    {"mode", type_oid::kText, "mode"},
    {"looked_at", type_oid::kTimestamptz, "looked_at"},
    {"looked_by", type_oid::kText, "looked_by"},
    {"decision", type_oid::kText, "decision"},
    {"measure", type_oid::kText, "measure"},
    {"threshold", type_oid::kInt4, "threshold"},
    {"window", type_oid::kText,
     "to_char(window_from, 'HH24:MI') || '-' || to_char(window_to, 'HH24:MI')"},
    {"max_rate", type_oid::kInt8, "max_rate"},
};

// What all proxies have told in the last seconds.
constexpr Shown kLoadColumns[] = {
    {"key_range", type_oid::kText, "k.range"},
    {"distribution", type_oid::kText, "k.distribution"},
    {"shard", type_oid::kText, "k.owner"},
    {"statements_per_s", type_oid::kFloat8,
     "round(coalesce(sum(l.statements_per_s), 0)::numeric, 1)"},
    {"busy_ms_per_s", type_oid::kFloat8,
     "round(coalesce(sum(l.busy_us_per_s), 0)::numeric / 1000, 1)"},
};
constexpr std::string_view kLoadSource =
    "key_ranges k LEFT JOIN range_load l ON l.range = k.range AND l.at > now() - interval '20 s'"
    " GROUP BY k.range, k.distribution, k.owner, k.lower ORDER BY sum(l.busy_us_per_s) DESC NULLS "
    "LAST, k.range";

absl::Span<const Shown> ColumnsOf(ShowSubject subject) {
  if (subject == ShowSubject::kRebalancer) return kRebalancerColumns;
  if (subject == ShowSubject::kLoad) return kLoadColumns;
  return kMoveColumns;
}

std::string SourceOf(const Show& show) {
  if (show.subject == ShowSubject::kRebalancer) return "rebalancer";
  if (show.subject == ShowSubject::kLoad) return std::string(kLoadSource);
  // One move is shown whether it has ended or not.
  std::string condition;
  if (show.move) {
    condition = fmt::format(" WHERE move = {}", *show.move);
  } else if (show.subject == ShowSubject::kMoves) {
    condition = " WHERE ended_at IS NULL";
  }
  return "moves" + condition + " ORDER BY moves.move";
}

}  // namespace

std::vector<AdminColumn> MoveColumns(ShowSubject subject) {
  std::vector<AdminColumn> columns;
  for (const Shown& shown : ColumnsOf(subject))
    columns.push_back({std::string(shown.name), shown.type});
  return columns;
}

std::vector<AdminColumn> NewMoveColumns() { return {{"move", type_oid::kInt8}}; }

absl::StatusOr<AdminResult> ShowMoves(const Show& show, CatalogStore& store) {
  std::string list;
  for (const Shown& shown : ColumnsOf(show.subject)) {
    list += fmt::format("{}({})::text", list.empty() ? "" : ", ", shown.sql);
  }
  AdminTable table{MoveColumns(show.subject), {}};
  absl::Status read = store.Use([&](PgConnection& catalog) -> absl::Status {
    auto moves = catalog.Query(fmt::format("SELECT {} FROM {}", list, SourceOf(show)));
    if (!moves.ok()) return moves.status();
    table.rows.clear();
    for (size_t r = 0; r < moves->rows(); ++r) {
      AdminRow& row = table.rows.emplace_back();
      for (size_t c = 0; c < moves->columns(); ++c) {
        const auto value = moves->Get(r, c);
        row.push_back(value ? AdminValue(*value) : std::nullopt);
      }
    }
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return ShowResult(show, std::move(table));
}

}  // namespace meridian
