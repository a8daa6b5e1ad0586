// The rows of a slice copied, and its changes followed.
#include "rebalance/slice.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "rebalance/mover_lease.h"
#include "rebalance/pressure.h"
#include "rebalance/stream/publication.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;

absl::Status SlotIsGone() {
  return SqlStatus(sqlstate::kUndefinedObject, "the move's replication slot is gone",
                   "A server that takes over does not have it. The copy is begun anew.");
}

}  // namespace

std::string Slice::CopyName() const { return fmt::format("{}_{}", options_.name, options_.copy); }

absl::Status Slice::DropStreams() {
  follower_.reset();
  stream_.reset();
  applier_.reset();
  const std::string mine = options_.name + "_";
  auto slots = source_->Query(
      "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
      " WHERE starts_with(slot_name, $1) AND active_pid IS NOT NULL",
      {{mine}});
  if (!slots.ok()) return slots.status();
  slots = source_->Query(
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
      " WHERE starts_with(slot_name, $1)",
      {{mine}});
  if (!slots.ok()) return slots.status();
  auto publications =
      source_->Query("SELECT pubname FROM pg_publication WHERE starts_with(pubname, $1)", {{mine}});
  if (!publications.ok()) return publications.status();
  for (size_t r = 0; r < publications->rows(); ++r) {
    absl::Status dropped = DropPublication(*source_, publications->Text(r, 0));
    if (!dropped.ok()) return dropped;
  }
  return target_
      ->Query(
          "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin"
          " WHERE starts_with(roname, $1)",
          {{mine}})
      .status();
}

absl::StatusOr<ChangeStream::Slot> Slice::MakeSlot(ChangeStream& stream) {
  const std::string name = CopyName();
  if (absl::Status made = MakePublication(*source_, name, tables_); !made.ok()) return made;
  return stream.CreateSlot(name);
}

absl::Status Slice::Prepare() {
  auto stream = ChangeStream::Connect(source_primary_);
  return stream.ok() ? MakeSlot(*stream).status() : stream.status();
}

absl::Status Slice::SkipChanges() {
  auto skipped = source_->Query(
      "SELECT pg_replication_slot_advance(slot_name, greatest(confirmed_flush_lsn,"
      " pg_current_wal_flush_lsn())) FROM pg_replication_slots WHERE slot_name = $1",
      {{CopyName()}});
  if (!skipped.ok()) return skipped.status();
  return skipped->rows() == 1 ? absl::OkStatus() : SlotIsGone();
}

absl::Status Slice::Copy(OnCopiedRows on_rows) {
  auto stream = ChangeStream::Connect(source_primary_);
  if (!stream.ok()) return stream.status();
  const auto slot = MakeSlot(*stream);
  if (!slot.ok()) return slot.status();
  start_ = slot->start;
  auto from = OpenSnapshot(source_primary_, slot->snapshot);
  if (!from.ok()) return from.status();
  auto to = OpenForRows(target_primary_);
  if (!to.ok()) return to.status();
  return InTransaction(*to, "BEGIN", [&]() -> absl::Status {
    if (absl::Status mine = ActAsMover(*to, options_.term); !mine.ok()) return mine;
    for (const MovedTable& table : tables_) {
      if (absl::Status copied = CopyRange(*from, *to, table, on_rows); !copied.ok()) return copied;
    }
    return absl::OkStatus();
  });
}

absl::Status Slice::Follow() {
  const std::string name = CopyName();
  follower_.reset();
  stream_.reset();
  applier_.reset();
  auto applier = ChangeApplier::Connect(target_primary_, name, tables_);
  if (!applier.ok()) return applier.status();
  applier_.emplace(*std::move(applier));
  applier_->set_fetch([this](const MovedTable& table, const std::vector<std::string>& columns,
                             absl::Span<const PgParameter> identity) {
    return FetchFromSource(table, columns, identity);
  });
  auto stream = ChangeStream::Connect(source_primary_);
  if (!stream.ok()) return stream.status();
  stream_.emplace(*std::move(stream));
  absl::Status started = stream_->Start(name, name, std::max(start_, applier_->applied()));
  if (!started.ok()) return started;
  follower_.emplace(*stream_, *applier_);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::vector<PgParameter>>> Slice::FetchFromSource(
    const MovedTable& table, const std::vector<std::string>& columns,
    absl::Span<const PgParameter> identity) {
  std::vector<std::string> values, conditions;
  for (const std::string& column : columns) values.push_back(QuoteIdentifier(column));
  for (size_t i = 0; i < identity.size(); ++i) {
    conditions.push_back(fmt::format("{} = ${}", QuoteIdentifier(table.identity[i]), i + 1));
  }
  auto row = source_->Query(fmt::format("SELECT {} FROM {} WHERE {}", fmt::join(values, ", "),
                                        table.name.ToString(), fmt::join(conditions, " AND ")),
                            identity);
  if (!row.ok()) return row.status();
  auto now = source_->Query("SELECT pg_current_wal_insert_lsn()");
  if (!now.ok()) return now.status();
  ahead_until_ = ParseLsn(now->Text(0, 0)).value_or(0);
  if (row->rows() != 1) return std::nullopt;
  std::vector<PgParameter> fetched;
  for (size_t c = 0; c < columns.size(); ++c) {
    const auto value = row->Get(0, c);
    fetched.push_back(value ? PgParameter(*value) : std::nullopt);
  }
  return fetched;
}

absl::StatusOr<Slice::Lag> Slice::ReadLag() {
  auto lag = source_->Query(
      "SELECT coalesce(pg_current_wal_lsn() - confirmed_flush_lsn, 0)::bigint,"
      " coalesce(pg_current_wal_lsn() - restart_lsn, 0)::bigint"
      " FROM pg_replication_slots WHERE slot_name = $1",
      {{CopyName()}});
  if (!lag.ok()) return lag.status();
  if (lag->rows() == 0) return SlotIsGone();
  return Lag{lag->Number(0, 0), lag->Number(0, 1)};
}

absl::StatusOr<std::vector<Pressure>> Slice::Pressures(milliseconds max_replica_lag) {
  std::vector<Pressure> all;
  for (auto found : {ReplicaPressure(*source_, "source", max_replica_lag),
                     ReplicaPressure(*target_, "target", max_replica_lag),
                     SlotPressure(*source_, options_.name + "_")}) {
    if (!found.ok()) return found.status();
    all.insert(all.end(), found->begin(), found->end());
  }
  return all;
}

absl::Status Slice::EmitBarrier(const std::string& barrier) {
  return source_
      ->Query("SELECT pg_logical_emit_message(true, $1, $2)",
              {{std::string(kMessagePrefix)}, {barrier}})
      .status();
}

absl::StatusOr<Lsn> Slice::TargetPosition() {
  auto lsn = target_->Query("SELECT pg_current_wal_insert_lsn()");
  if (!lsn.ok()) return lsn.status();
  return ParseLsn(lsn->Text(0, 0)).value_or(0);
}

}  // namespace meridian
