// The two shards of a move, and what it does on them: the rows of one key range, copied, followed,
// compared, taken away. The phases of a move put these together (move_run.h). Blocking; one thread.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "rebalance/blockers.h"
#include "rebalance/fence.h"
#include "rebalance/stream/change_applier.h"
#include "rebalance/stream/change_stream.h"
#include "rebalance/stream/follower.h"
#include "rebalance/stream/moved_table.h"
#include "rebalance/stream/range_copy.h"
#include "rebalance/throttle.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/moves.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

struct SliceOptions {
  std::string name;            // of the fence; with a number behind it, of what a copy needs
  std::string other;           // the fence's name of the slice with exchanged roles
  uint64_t copy = 0;           // that number: each attempt has names of its own
  uint64_t term = 0;           // the mover's
  bool back = false;           // the target has all that was committed before it was given up
  bool full_identity = false;  // MoveOptions
};

class Slice {
 public:
  explicit Slice(SliceOptions options) : options_(std::move(options)) {}

  // Which shards are connected to: kSource is enough for what only the source has a part in.
  enum class Ends { kBoth, kSource };
  // Connects to the primaries, and reads the tables of the range as the source has them. 55000 for
  // what cannot be moved, and where the map does not have what `way` names.
  absl::Status Open(std::shared_ptr<const ShardMap> map, const MoveRequest& way,
                    const ShardAccess& access, Ends ends = Ends::kBoth);
  // Ends what earlier movers still do on these shards. Before anything is changed there.
  absl::Status TakeOver();
  // How long the shards may take for a statement while clients wait, until Unhurry. Behind Follow.
  void Hurry(std::chrono::milliseconds statement);
  void Unhurry();
  // What must hold before anything is begun: preflight.h.
  absl::Status CheckOwner(const std::string& source) const;
  absl::Status CheckSource();
  absl::Status CheckTarget();
  // By a sample of the tables.
  struct Size {
    uint64_t rows = 0;
    uint64_t bytes = 0;  // in the tables' files
  };
  absl::StatusOr<Size> EstimateSize();

  // A key below which about this part of the range's rows are; nullopt: there is none.
  absl::StatusOr<std::optional<KeyBound>> PointAt(double fraction);

  // Slots, publications and origins of all copies, and of the way there or back alone.
  absl::Status DropStreams();
  absl::Status RemoveFromSource(absl::FunctionRef<absl::Status()> before_batch);
  absl::Status RemoveFromTarget(absl::FunctionRef<absl::Status()> before_batch);

  absl::Status RaiseFence(std::chrono::milliseconds lock_timeout);
  absl::Status ArmFence(const std::string& barrier, std::chrono::milliseconds lock_timeout);
  absl::Status OpenFence();
  absl::Status CloseFence();
  // The fence that the target has of the time when it was the source.
  absl::Status OpenTargetsFence();
  absl::Status CloseTargetsFence();
  absl::Status DropFence(std::chrono::milliseconds lock_timeout);

  // For people (blockers.h): who keeps the fence from being raised or dropped, who has written to
  // the range and not ended, who keeps a slot from being made.
  absl::StatusOr<std::string> WhoUsesTables();
  absl::StatusOr<std::string> WhoWrites() { return WritersOfRange(*source_, fence_); }
  absl::StatusOr<std::string> WhoRuns() { return OldestTransaction(*source_); }

  // Publication and slot, from which Follow can begin at options.start: the target has the rows.
  absl::Status Prepare();
  // What the slot has kept until now is not needed. 42704: it is gone.
  absl::Status SkipChanges();
  // Publication, slot, and all rows in one transaction of the target.
  absl::Status Copy(OnCopiedRows on_rows);
  // Then, and after a crash as well: Follow, and what is behind it.
  absl::Status Follow();
  Follower& follower() { return *follower_; }
  uint64_t changes() const { return applier_->changes(); }
  Lsn applied() const { return applier_->applied(); }
  // Bytes of the source's log that are not applied, and that it keeps for the slot.
  struct Lag {
    uint64_t bytes = 0;
    uint64_t kept_bytes = 0;
  };
  absl::StatusOr<Lag> ReadLag();
  // What presses on both shards while rows are copied.
  absl::StatusOr<std::vector<Pressure>> Pressures(std::chrono::milliseconds max_replica_lag);
  // Emits a message that Follower::Until waits for.
  absl::Status EmitBarrier(const std::string& barrier);
  // Compares all rows at one moment, while the stream is followed on. M0004 where they differ;
  // false: they could not be compared just then. `meanwhile` is called at least once a second.
  absl::StatusOr<bool> Verify(absl::FunctionRef<absl::Status()> meanwhile);
  // What a replica of the target must have replayed to have all that is applied.
  absl::StatusOr<Lsn> TargetPosition();

  const std::vector<MovedTable>& tables() const { return tables_; }
  PgConnection& source() { return *source_; }
  PgConnection& target() { return *target_; }

 private:
  absl::Status FindRange(const MoveRequest& way);
  absl::Status Connect(const MoveRequest& way, const ShardAccess& access, Ends ends);
  absl::Status ReadTables(const std::string& new_owner);
  std::string CopyName() const;
  absl::StatusOr<ChangeStream::Slot> MakeSlot(ChangeStream& stream);
  // For ChangeApplier.
  absl::StatusOr<std::optional<std::vector<PgParameter>>> FetchFromSource(
      const MovedTable& table, const std::vector<std::string>& columns,
      absl::Span<const PgParameter> identity);
  absl::Status CompareSnapshots(PgConnection& at_source, PgConnection& at_target,
                                std::stop_source& give_up,
                                absl::FunctionRef<absl::Status()> meanwhile);

  const SliceOptions options_;
  PgTarget source_primary_;
  PgTarget target_primary_;
  std::optional<PgConnection> source_;
  std::optional<PgConnection> target_;
  std::shared_ptr<const ShardMap> map_;
  const Distribution* distribution_ = nullptr;  // of the map
  size_t range_ = 0;
  std::vector<MovedTable> tables_;
  Fence fence_;
  std::optional<ChangeStream> stream_;
  std::optional<ChangeApplier> applier_;
  std::optional<Follower> follower_;
  Lsn start_ = 0;  // the target has all that was committed at the source before
  // Up to here the target may have values that the source had only later: FetchFromSource.
  Lsn ahead_until_ = 0;
};

// The SQLSTATE of rows that differ.
inline constexpr std::string_view kRowsDiffer = "M0004";

}  // namespace meridian
