#include "sharding/catalog/moves.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr std::string_view kWishes[] = {"run", "pause", "cancel", "reverse", "finish"};

// The moves for which each wish can be said. What is being undone, or has another owner, goes on to
// its end; what comes behind a slice can still be stopped. RESUME ends any PAUSE, and takes a
// REVERSE back that has not come to its end.
constexpr std::string_view kNotDecided =
    "(phase NOT IN ('switched', 'reversible', 'cleaning', 'cancelling')"
    " OR phase IN ('switched', 'cleaning') AND slice IS NOT NULL) AND NOT back"
    " AND wish <> 'cancel'";
constexpr std::string_view kFor[] = {
    "wish <> 'cancel'", kNotDecided, kNotDecided, "phase = 'reversible' AND wish <> 'finish'",
    "reversible AND phase IN ('switched', 'reversible') AND wish <> 'reverse' AND NOT (back AND "
    "phase = 'switched')"};

PgParameter Text(uint64_t number) { return std::to_string(number); }

// An update of one move that has touched no row.
// `wish`: what was said to it; nullopt: an option that it cannot have.
absl::Status WhyNot(PgConnection& catalog, uint64_t id, std::optional<MoveWish> wish) {
  auto found =
      catalog.Query("SELECT phase, ended_at IS NULL FROM moves WHERE move = $1", {Text(id)});
  if (!found.ok()) return found.status();
  if (found->rows() == 0) {
    return SqlStatus(sqlstate::kUndefinedObject, fmt::format("move {} does not exist", id),
                     "SHOW MOVES lists the moves.");
  }
  const std::string phase = found->Text(0, 0);
  if (found->Get(0, 1) == "t") {
    const char* what = "cancelled or paused any more";
    const char* hint =
        "Its rows have another owner by now, or are being undone. REVERSE MOVE takes a move back "
        "that is reversible; when another has ended, move the range back.";
    if (!wish) {
      return SqlStatus(sqlstate::kFeatureNotSupported,
                       fmt::format("move {} cannot have slices: it is reversible", id),
                       "FINISH MOVE or REVERSE MOVE ends it.");
    }
    if (wish == MoveWish::kReverse) {
      what = "reversed";
      hint =
          "Only a move with the option reversible can be, once it is in the phase reversible. "
          "CANCEL MOVE undoes one before its range has changed owner.";
    } else if (wish == MoveWish::kFinish) {
      what = "finished";
      hint =
          "That is for a move in the phase reversible. RESUME MOVE takes a REVERSE MOVE back that "
          "waits.";
    }
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                     fmt::format("move {} cannot be {}: it is {}", id, what, phase), hint);
  }
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                   fmt::format("move {} has ended: {}", id, phase));
}

}  // namespace

MoveRequest MoveRecord::Way() const {
  MoveRequest way = request;
  if (back) std::swap(way.source, way.target);
  if (!slice.empty()) way.range = slice;
  return way;
}

std::string_view MoveWishName(MoveWish wish) { return kWishes[static_cast<size_t>(wish)]; }

absl::StatusOr<uint64_t> AddMove(PgConnection& catalog, const MoveRequest& request,
                                 std::string_view who) {
  const MoveOptions& options = request.options;
  auto added = catalog.Query(
      "INSERT INTO moves (range, distribution, source, target, max_rate, cutover_timeout_ms,"
      " max_replica_lag_ms, verify, asked_by, reversible, slice_size, full_identity)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
      " ON CONFLICT (range) WHERE ended_at IS NULL DO NOTHING RETURNING move",
      {{request.range},
       {request.distribution},
       {request.source},
       {request.target},
       Text(options.max_rate),
       {std::to_string(options.cutover_timeout.count())},
       {std::to_string(options.max_replica_lag.count())},
       {options.verify ? "true" : "false"},
       {std::string(who)},
       {options.reversible ? "true" : "false"},
       Text(options.slice_size),
       {options.full_identity ? "true" : "false"}});
  if (!added.ok()) return added.status();
  if (added->rows() == 1) return added->Number(0, 0);
  return SqlStatus(sqlstate::kObjectInUse,
                   fmt::format("key range \"{}\" is moving already", request.range),
                   "SHOW MOVES tells how far it is; CANCEL MOVE ends it.");
}

absl::Status SetMoveWish(PgConnection& catalog, uint64_t id, MoveWish wish) {
  auto set = catalog.Query(fmt::format("UPDATE moves SET wish = $2,"
                                       " began_at = began_at + coalesce(now() - paused_at, '0'),"
                                       " paused_at = CASE $2 WHEN 'pause' THEN now() END"
                                       " WHERE move = $1 AND ended_at IS NULL AND {}",
                                       kFor[static_cast<size_t>(wish)]),
                           {Text(id), {std::string(MoveWishName(wish))}});
  if (!set.ok()) return set.status();
  return set->affected() == 1 ? absl::OkStatus() : WhyNot(catalog, id, wish);
}

absl::Status ChangeMove(PgConnection& catalog, uint64_t id, const MoveChange& change) {
  const auto time = [](const std::optional<std::chrono::milliseconds>& value) -> PgParameter {
    if (!value) return std::nullopt;
    return std::to_string(value->count());
  };
  PgParameter max_rate, verify, slice_size;
  if (change.max_rate) max_rate = std::to_string(*change.max_rate);
  if (change.verify) verify = *change.verify ? "true" : "false";
  if (change.slice_size) slice_size = std::to_string(*change.slice_size);
  auto set = catalog.Query(
      "UPDATE moves SET max_rate = coalesce($2, max_rate),"
      " cutover_timeout_ms = coalesce($3, cutover_timeout_ms),"
      " max_replica_lag_ms = coalesce($4, max_replica_lag_ms),"
      " verify = coalesce($5, verify), slice_size = coalesce($6::bigint, slice_size)"
      " WHERE move = $1 AND ended_at IS NULL AND ($6::bigint IS NULL OR NOT reversible)",
      {Text(id), max_rate, time(change.cutover_timeout), time(change.max_replica_lag), verify,
       slice_size});
  if (!set.ok()) return set.status();
  return set->affected() == 1 ? absl::OkStatus() : WhyNot(catalog, id, std::nullopt);
}

absl::Status StoreRebalancer(PgConnection& catalog, std::string_view mode,
                             const RebalancerOptions& options) {
  const auto number = [](const std::optional<uint64_t>& value) -> PgParameter {
    if (!value) return std::nullopt;
    return std::to_string(*value);
  };
  PgParameter measure, from, to;
  if (options.by_load) measure = *options.by_load ? "load" : "bytes";
  if (options.window) from = options.window->first;
  if (options.window) to = options.window->second;
  return catalog
      .Query(
          "UPDATE rebalancer SET mode = $1, looked_at = NULL, decision = NULL,"
          " measure = coalesce($2, measure), threshold = coalesce($3::integer, threshold),"
          " max_rate = coalesce($4::bigint, max_rate),"
          " window_from = CASE WHEN $5::text IS NULL THEN window_from ELSE nullif($5, '')::time "
          "END,"
          " window_to = CASE WHEN $6::text IS NULL THEN window_to ELSE nullif($6, '')::time END",
          {{std::string(mode)},
           measure,
           number(options.threshold),
           number(options.max_rate),
           from,
           to})
      .status();
}

absl::StatusOr<std::vector<MoveRecord>> OpenMoves(PgConnection& catalog) {
  auto result = catalog.Query(
      "SELECT move, range, distribution, source, target, max_rate, cutover_timeout_ms, verify, "
      "wish,"
      " phase, copies, cutovers, max_replica_lag_ms, reversible, back, slice_size, slice, moved, "
      "slices, full_identity FROM moves"
      " WHERE ended_at IS NULL ORDER BY move");
  if (!result.ok()) return result.status();
  std::vector<MoveRecord> moves;
  for (size_t r = 0; r < result->rows(); ++r) {
    MoveRecord& move = moves.emplace_back();
    move.id = result->Number(r, 0);
    move.request = {
        result->Text(r, 1), result->Text(r, 2), result->Text(r, 3), result->Text(r, 4), {}};
    move.request.options = {result->Number(r, 5),
                            std::chrono::milliseconds(result->Number(r, 6)),
                            std::chrono::milliseconds(result->Number(r, 12)),
                            result->Get(r, 7) == "t",
                            result->Number(r, 15),
                            result->Get(r, 13) == "t",
                            result->Get(r, 19) == "t"};
    for (size_t w = 0; w < std::size(kWishes); ++w) {
      if (result->Get(r, 8) == kWishes[w]) move.wish = static_cast<MoveWish>(w);
    }
    move.phase = result->Text(r, 9);
    move.copies = result->Number(r, 10);
    move.cutovers = result->Number(r, 11);
    move.back = result->Get(r, 14) == "t";
    move.slice = result->Text(r, 16);
    move.moved = result->Text(r, 17);
    move.slices = result->Number(r, 18);
  }
  return moves;
}

}  // namespace meridian
