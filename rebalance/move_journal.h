// What the mover writes of a move into the catalog, and reads of it. Blocking; one thread.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sharding/catalog/moves.h"
#include "sharding/catalog/store.h"
#include "sharding/shard_map.h"

namespace meridian {

// What people see of a move under way.
struct MoveProgress {
  std::optional<uint64_t> rows_expected;
  std::optional<uint64_t> rows_copied;
  std::optional<uint64_t> bytes_expected;
  std::optional<uint64_t> bytes_copied;
  std::optional<uint64_t> changes_applied;
  std::optional<uint64_t> lag_bytes;
  std::optional<uint64_t> lag_ms;
  std::optional<uint64_t> log_kept_bytes;
  std::optional<uint64_t> rate;  // bytes per second
  std::string throttled_by;
};

class MoveJournal {
 public:
  // `store` outlives it. `move`: as it was read.
  MoveJournal(CatalogStore& store, MoveRecord move, uint64_t term)
      : store_(store), move_(std::move(move)), term_(term) {}

  const MoveRecord& move() const { return move_; }
  MoveRequest way() const { return move_.Way(); }

  // The move enters the phase: in the same transaction, `sets` (SQL assignments, may be empty) are
  // made, and the map is edited. Gives the map. 40001: the move is not where this journal has left
  // it; M0003: the term is over.
  absl::StatusOr<std::shared_ptr<const ShardMap>> Enter(std::string_view phase,
                                                        std::string_view sets,
                                                        CatalogStore::Edit edit);
  // The same, without a change of the map.
  absl::Status Enter(std::string_view phase, std::string_view sets = "");
  // The same, and from now on the move's way is the one back, or the one there.
  absl::Status Turn(std::string_view phase, bool back);
  // The range of a slice, and its end: what has moved is `moved` by now, and the rest is queued.
  absl::Status BeginSlice(std::string_view phase, const std::string& slice,
                          CatalogStore::Edit edit);
  absl::Status EndSlice(std::string_view phase, const std::string& moved, CatalogStore::Edit edit);
  // Enters a phase in which a move ends. `failure`: why it was given up, or empty.
  absl::Status End(std::string_view phase, const std::string& failure, CatalogStore::Edit edit);

  // Why it was given up; empty: it was not.
  absl::StatusOr<std::string> Failure();
  // What the operator says now; the move's options as well.
  absl::StatusOr<MoveWish> ReadWish();
  absl::Status Note(const MoveProgress& progress);
  // How many rows the range has, and what they take in the source's files, before a slice is
  // copied: of the first, the rows and bytes that are expected; then as many bytes as what has
  // moved has taken in the files of that. Gives the bytes of these rows, by the size that they had
  // in files before the first: those do not shrink with the rows.
  absl::StatusOr<uint64_t> NoteSize(uint64_t rows, uint64_t file_bytes);
  // All rows were compared.
  absl::Status NoteVerified();
  // What it waits for, or why it is tried again; empty: nothing.
  absl::Status NoteWait(const std::string& why);

 private:
  absl::Status Write(PgConnection& catalog, std::string_view phase, std::string_view sets);

  CatalogStore& store_;
  MoveRecord move_;
  const uint64_t term_;
  std::optional<std::string> waits_for_;  // not known at first
};

}  // namespace meridian
