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
    {"bytes_copied", type_oid::kInt8, "bytes_moved + bytes_copied"},
    {"bytes_expected", type_oid::kInt8, "bytes_expected"},
    {"rate", type_oid::kInt8, "rate"},
    {"eta_s", type_oid::kInt8,
     "CASE WHEN phase = 'copying' AND rate > 0"
     " THEN greatest(0, bytes_expected - bytes_moved - bytes_copied) / rate END"},
    {"changes_applied", type_oid::kInt8, "changes_applied"},
    {"lag_bytes", type_oid::kInt8, "lag_bytes"},
    {"throttled_by", type_oid::kText, "throttled_by"},
    {"copies", type_oid::kInt4, "copies"},
    {"cutovers", type_oid::kInt4, "cutovers"},
    {"pause_ms", type_oid::kFloat8, "round(pause_us / 1000.0, 1)"},
    {"message", type_oid::kText, "coalesce(error, failure)"},
    {"max_rate", type_oid::kInt8, "max_rate"},
    {"slice_size", type_oid::kInt8, "slice_size"},
    {"verify", type_oid::kBool, "CASE WHEN verify THEN 't' ELSE 'f' END"},
    {"reversible", type_oid::kBool, "CASE WHEN reversible THEN 't' ELSE 'f' END"},
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
};

absl::Span<const Shown> ColumnsOf(ShowSubject subject) {
  if (subject == ShowSubject::kRebalancer) return kRebalancerColumns;
  return kMoveColumns;
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
  // One move is shown whether it has ended or not.
  const bool open_only = show.subject == ShowSubject::kMoves && !show.move;
  std::string from = "moves";
  if (open_only) from += " WHERE ended_at IS NULL";
  if (show.move) from += fmt::format(" WHERE move = {}", *show.move);
  from = show.subject == ShowSubject::kRebalancer ? "rebalancer" : from + " ORDER BY moves.move";
  AdminTable table{MoveColumns(show.subject), {}};
  absl::Status read = store.Use([&](PgConnection& catalog) -> absl::Status {
    auto moves = catalog.Query(fmt::format("SELECT {} FROM {}", list, from));
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
