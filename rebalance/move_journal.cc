#include "rebalance/move_journal.h"

#include <fmt/format.h>

#include <utility>

#include "rebalance/mover_lease.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

PgParameter Text(const std::optional<uint64_t>& number) {
  if (!number) return std::nullopt;
  return std::to_string(*number);
}

}  // namespace

absl::Status MoveJournal::Write(PgConnection& catalog, std::string_view phase,
                                std::string_view sets) {
  if (absl::Status mine = RequireTerm(catalog, term_); !mine.ok()) return mine;
  auto written =
      catalog.Query(fmt::format("UPDATE moves SET phase = $2, phase_since = now(), error = NULL{}{}"
                                " WHERE move = $1 AND phase = $3 AND ended_at IS NULL"
                                " AND ($2 <> 'switched' OR wish <> 'cancel')",
                                sets.empty() ? "" : ", ", sets),
                    {{std::to_string(move_.id)}, {std::string(phase)}, {move_.phase}});
  if (!written.ok()) return written.status();
  if (written->affected() == 1) return absl::OkStatus();
  return SqlStatus(sqlstate::kSerializationFailure,
                   fmt::format("move {} is not in phase {} any more", move_.id, move_.phase));
}

absl::StatusOr<std::shared_ptr<const ShardMap>> MoveJournal::Enter(std::string_view phase,
                                                                   std::string_view sets,
                                                                   CatalogStore::Edit edit) {
  const ChangeOrigin origin{"mover", fmt::format("MOVE {}: {}", move_.id, phase)};
  auto map = store_.ChangeAlso(origin, edit,
                               [&](PgConnection& catalog) { return Write(catalog, phase, sets); });
  if (map.ok()) move_.phase = phase;
  return map;
}

absl::Status MoveJournal::Enter(std::string_view phase, std::string_view sets) {
  return Enter(phase, sets, [](MapDraft&) { return absl::OkStatus(); }).status();
}

absl::Status MoveJournal::Turn(std::string_view phase, bool back) {
  absl::Status turned = Enter(phase, fmt::format("back = {}, verified = false", back));
  if (turned.ok()) move_.back = back;
  return turned;
}

absl::Status MoveJournal::BeginSlice(std::string_view phase, const std::string& slice,
                                     CatalogStore::Edit edit) {
  auto map = Enter(phase, "slice = " + QuoteLiteral(slice), edit);
  if (map.ok()) move_.slice = slice;
  return map.status();
}

absl::Status MoveJournal::EndSlice(std::string_view phase, const std::string& moved,
                                   CatalogStore::Edit edit) {
  auto map = Enter(phase,
                   fmt::format("slice = NULL, moved = {}, slices = slices + 1,"
                               " rows_moved = rows_moved + rows_copied, rows_copied = 0,"
                               " bytes_moved = bytes_moved + bytes_copied, bytes_copied = 0",
                               QuoteLiteral(moved)),
                   edit);
  if (!map.ok()) return map.status();
  move_.slice.clear();
  move_.moved = moved;
  ++move_.slices;
  return absl::OkStatus();
}

absl::Status MoveJournal::End(std::string_view phase, const std::string& failure,
                              CatalogStore::Edit edit) {
  std::string sets =
      "ended_at = now(), rate = NULL, lag_bytes = NULL, lag_ms = NULL,"
      " log_kept_bytes = NULL, throttled_by = NULL";
  if (!failure.empty()) sets += ", failure = " + QuoteLiteral(failure);
  return Enter(phase, sets, edit).status();
}

absl::StatusOr<std::string> MoveJournal::Failure() {
  std::string failure;
  absl::Status read = store_.Use([&](PgConnection& catalog) -> absl::Status {
    auto row =
        catalog.Query("SELECT failure FROM moves WHERE move = $1", {{std::to_string(move_.id)}});
    if (row.ok() && row->rows() == 1) failure = row->Text(0, 0);
    return row.status();
  });
  if (!read.ok()) return read;
  return failure;
}

absl::StatusOr<MoveWish> MoveJournal::ReadWish() {
  absl::Status read = store_.Use([&](PgConnection& catalog) -> absl::Status {
    auto moves = OpenMoves(catalog);
    if (!moves.ok()) return moves.status();
    for (MoveRecord& move : *moves) {
      if (move.id != move_.id) continue;
      move_.wish = move.wish;
      move_.copies = move.copies;
      move_.cutovers = move.cutovers;
      move_.request.options = move.request.options;
    }
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return move_.wish;
}

absl::Status MoveJournal::Note(const MoveProgress& progress) {
  return store_.Use([&](PgConnection& catalog) {
    return catalog
        .Query(
            "UPDATE moves SET rows_expected = coalesce($2, rows_expected),"
            " rows_copied = coalesce($3, rows_copied),"
            " bytes_expected = coalesce($4, bytes_expected),"
            " bytes_copied = coalesce($5, bytes_copied),"
            " changes_applied = coalesce($6, changes_applied), lag_bytes = $7, rate = $8,"
            " throttled_by = nullif($9, ''), lag_ms = $10, log_kept_bytes = $11"
            " WHERE move = $1 AND ended_at IS NULL",
            {{std::to_string(move_.id)},
             Text(progress.rows_expected),
             Text(progress.rows_copied),
             Text(progress.bytes_expected),
             Text(progress.bytes_copied),
             Text(progress.changes_applied),
             Text(progress.lag_bytes),
             Text(progress.rate),
             {progress.throttled_by},
             Text(progress.lag_ms),
             Text(progress.log_kept_bytes)})
        .status();
  });
}

absl::StatusOr<uint64_t> MoveJournal::NoteSize(uint64_t rows, uint64_t file_bytes) {
  uint64_t bytes = file_bytes;
  absl::Status noted = store_.Use([&](PgConnection& catalog) -> absl::Status {
    auto size = catalog.Query(
        "UPDATE moves SET began_at = CASE slices WHEN 0 THEN now() ELSE began_at END,"
        " file_bytes = CASE slices WHEN 0 THEN $2::bigint ELSE file_bytes END,"
        " bytes_expected = CASE slices WHEN 0 THEN $2::bigint ELSE "
        "coalesce(bytes_moved::numeric"
        " * greatest(1, file_bytes::numeric / nullif(slices * slice_size, 0)), bytes_expected)"
        " END,"
        " bytes_copied = 0,"
        " rows_expected = CASE slices WHEN 0 THEN $3::bigint ELSE rows_expected END,"
        " rows_copied = 0 WHERE move = $1 AND ended_at IS NULL RETURNING"
        " least($2::bigint, ($3::numeric * file_bytes / nullif(rows_expected, 0))::bigint)",
        {{std::to_string(move_.id)}, Text(file_bytes), Text(rows)});
    if (size.ok() && size->rows() == 1) bytes = size->Number(0, 0);
    return size.status();
  });
  if (!noted.ok()) return noted;
  return bytes;
}

absl::Status MoveJournal::NoteVerified() {
  return store_.Use([&](PgConnection& catalog) {
    return catalog
        .Query("UPDATE moves SET verified = true WHERE move = $1 AND ended_at IS NULL",
               {{std::to_string(move_.id)}})
        .status();
  });
}

absl::Status MoveJournal::NoteWait(const std::string& why) {
  if (why == waits_for_) return absl::OkStatus();
  waits_for_ = why;
  return store_.Use([&](PgConnection& catalog) {
    return catalog
        .Query("UPDATE moves SET error = nullif($2, '') WHERE move = $1 AND ended_at IS NULL",
               {{std::to_string(move_.id)}, {why}})
        .status();
  });
}

}  // namespace meridian
