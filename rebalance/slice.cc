#include "rebalance/slice.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "rebalance/digest.h"
#include "rebalance/full_identity.h"
#include "rebalance/mover_lease.h"
#include "rebalance/pressure.h"
#include "rebalance/remove_rows.h"
#include "rebalance/split_point.h"
#include "rebalance/stream/publication.h"
#include "rebalance/table_sample.h"
#include "sharding/admin/table_check.h"
#include "sharding/admin/table_definition.h"
#include "sharding/catalog/shard_support.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr milliseconds kStatement{30'000};
// Copies, digests and the creation of slots take as long as they take; a lost lease ends them.
constexpr milliseconds kNoLimit{0};
constexpr seconds kBarrierMax{600};

PgTarget Unlimited(PgTarget target) {
  target.statement_timeout = kNoLimit;
  return target;
}

absl::Status NotPossible(std::string message, std::string hint) {
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState, std::move(message), std::move(hint));
}

absl::Status Gone(std::string_view kind, const std::string& name) {
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                   fmt::format("{} \"{}\" is gone", kind, name));
}

absl::Status SlotIsGone() {
  return SqlStatus(sqlstate::kUndefinedObject, "the move's replication slot is gone",
                   "A server that takes over does not have it. The copy is begun anew.");
}

}  // namespace

absl::Status Slice::CheckSource() {
  auto settings = source_->Query(
      "SELECT current_setting('server_version_num')::int >= 150000,"
      " current_setting('wal_level') = 'logical',"
      " current_setting('max_replication_slots')::int - (SELECT count(*) FROM "
      "pg_replication_slots),"
      " current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication)");
  if (!settings.ok()) return settings.status();
  if (settings->Get(0, 0) != "t") {
    return NotPossible("the source is older than PostgreSQL 15",
                       "Upgrade it: moves need the row filters of publications.");
  }
  if (settings->Get(0, 1) != "t") {
    return NotPossible("the source's wal_level is not logical",
                       "Set wal_level = logical in its postgresql.conf, and restart it.");
  }
  // One for the changes, one for the comparison.
  for (const size_t column : {2, 3}) {
    const std::string left = settings->Text(0, column);
    if (!left.starts_with('-') && left != "0" && left != "1") continue;
    const char* const name = column == 2 ? "max_replication_slots" : "max_wal_senders";
    return NotPossible(fmt::format("the source has too few left of {}", name),
                       fmt::format("Raise {} in its postgresql.conf, and restart it.", name));
  }
  return absl::OkStatus();
}

std::string Slice::CopyName() const { return fmt::format("{}_{}", options_.name, options_.copy); }

absl::Status Slice::Open(std::shared_ptr<const ShardMap> map, const MoveRequest& way,
                         const ShardAccess& access) {
  map_ = std::move(map);
  absl::Status ready = FindRange(way);
  if (ready.ok()) ready = Connect(way, access);
  return ready.ok() ? ReadTables(way.target) : ready;
}

absl::Status Slice::FindRange(const MoveRequest& way) {
  distribution_ = map_->FindDistribution(way.distribution);
  if (distribution_ == nullptr) return Gone("distribution", way.distribution);
  const auto& ranges = distribution_->ranges();
  const auto range = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const KeyRange& r) { return r.name == way.range; });
  if (range == ranges.end()) return Gone("key range", way.range);
  range_ = static_cast<size_t>(range - ranges.begin());
  // Of the way back: what was committed before had come from the new target.
  if (options_.back && range->move) start_ = range->move->complete_at;
  return absl::OkStatus();
}

absl::Status Slice::Connect(const MoveRequest& way, const ShardAccess& access) {
  const auto connect = [&](const std::string& name, PgTarget* primary,
                           std::optional<PgConnection>* connection) -> absl::Status {
    const auto shard = map_->FindShard(name);
    if (!shard) return Gone("shard", name);
    auto found = ConnectPrimary(access, map_->shard(*shard));
    if (!found.ok()) return found.status();
    *primary = TargetOf(access, map_->shard(*shard), found->node);
    auto connected = OpenForRows(*primary);
    if (!connected.ok()) return connected.status();
    connection->emplace(*std::move(connected));
    (*connection)->set_statement_timeout(kStatement);
    return absl::OkStatus();
  };
  absl::Status done = connect(way.source, &source_primary_, &source_);
  return done.ok() ? connect(way.target, &target_primary_, &target_) : done;
}

absl::Status Slice::ReadTables(const std::string& new_owner) {
  fence_ = {options_.name, {}, distribution_->ranges()[range_].name, new_owner};
  for (const MappedTable& table : TablesOf(*map_, *distribution_)) {
    auto moved = ReadMovedTable(*source_, table, *distribution_, range_, options_.full_identity);
    if (!moved.ok()) return moved.status();
    tables_.push_back(*std::move(moved));
    fence_.tables.push_back(FenceOf(table, *distribution_, range_));
  }
  return absl::OkStatus();
}

absl::Status Slice::TakeOver() {
  for (PgConnection* const shard : {&*source_, &*target_}) {
    if (absl::Status ready = EnsureShardSupport(*shard); !ready.ok()) return ready;
    if (absl::Status alone = EndOtherMovers(*shard, options_.term); !alone.ok()) return alone;
  }
  return absl::OkStatus();
}

absl::Status Slice::CheckOwner(const std::string& source) const {
  const KeyRange& range = distribution_->ranges()[range_];
  const std::string& owner = map_->shard(range.owner).name;
  if (owner == source) return absl::OkStatus();
  return NotPossible(fmt::format("key range \"{}\" is on shard \"{}\" by now, not on \"{}\"",
                                 range.name, owner, source),
                     "SHOW KEY RANGES tells where each is.");
}

absl::Status Slice::CheckTarget() {
  for (const MovedTable& table : tables_) {
    const auto here = ReadTableDefinition(*source_, table.name);
    if (!here.ok()) return here.status();
    const auto there = ReadTableDefinition(*target_, table.name);
    if (!there.ok()) return there.status();
    for (const auto* side : {&*here, &*there}) {
      if (*side) continue;
      return NotPossible(fmt::format("table {} is not on both shards", table.name.ToString()),
                         "Create it where it is missing.");
    }
    if (absl::Status kind = CheckTableKind(table.name, **here); !kind.ok()) return kind;
    absl::Status same =
        CheckSameDefinition(table.name, "the source", **here, "the target", **there);
    if (!same.ok()) return same;
    auto rows = target_->Query(
        fmt::format("SELECT 1 FROM {} WHERE {} LIMIT 1", table.name.ToString(), table.condition));
    if (!rows.ok()) return rows.status();
    if (rows->rows() == 0) continue;
    return NotPossible(
        fmt::format("the target has rows of the range in table {}", table.name.ToString()),
        "They are not known to Meridian: look at them there, and delete them.");
  }
  return absl::OkStatus();
}

absl::StatusOr<Slice::Size> Slice::EstimateSize() {
  Size estimate;
  for (const MovedTable& table : tables_) {
    const auto sampled = SampleTable(*source_, table.name);
    if (!sampled.ok()) return sampled.status();
    auto size = source_->Query(
        fmt::format("SELECT (count(*) FILTER (WHERE {0}) * 100 / {1})::bigint,"
                    " coalesce({2} * avg(CASE WHEN {0} THEN 1.0 ELSE 0 END), 0)::bigint FROM {3}",
                    table.condition, sampled->percent, sampled->bytes, sampled->Sql()));
    if (!size.ok()) return size.status();
    estimate.rows += size->Number(0, 0);
    estimate.bytes += size->Number(0, 1);
  }
  return estimate;
}

absl::StatusOr<std::optional<KeyBound>> Slice::PointAt(double fraction) {
  return SplitPoint(*source_, TablesOf(*map_, *distribution_), *distribution_, range_, fraction);
}

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

absl::Status Slice::RemoveFromSource(absl::FunctionRef<absl::Status()> before_batch) {
  for (const MovedTable& table : tables_) {
    if (absl::Status done = RemoveRows(*source_, table, before_batch); !done.ok()) return done;
  }
  return absl::OkStatus();
}

absl::Status Slice::RemoveFromTarget(absl::FunctionRef<absl::Status()> before_batch) {
  for (const MovedTable& table : tables_) {
    if (absl::Status done = RemoveRows(*target_, table, before_batch); !done.ok()) return done;
  }
  return absl::OkStatus();
}

absl::Status Slice::RaiseFence(milliseconds lock_timeout) {
  absl::Status raised = meridian::RaiseFence(*source_, fence_, lock_timeout);
  for (const MovedTable& table : tables_) {
    if (!raised.ok()) return raised;
    if (!table.needs_full_identity) continue;
    raised = SetFullIdentity(*source_, fence_.name, table.name, lock_timeout);
  }
  return raised;
}

absl::Status Slice::ArmFence(const std::string& barrier, milliseconds lock_timeout) {
  return meridian::ArmFence(*source_, fence_, barrier, lock_timeout,
                            [&] { return ActAsMover(*source_, options_.term); });
}

absl::Status Slice::OpenFence() {
  return InTransaction(*source_, "BEGIN", [&]() -> absl::Status {
    if (absl::Status mine = ActAsMover(*source_, options_.term); !mine.ok()) return mine;
    return meridian::OpenFence(*source_, fence_);
  });
}

absl::Status Slice::CloseFence() { return meridian::CloseFence(*source_, fence_); }

absl::Status Slice::OpenTargetsFence() {
  return meridian::OpenFence(*target_, {options_.other, {}, {}, {}});
}

absl::Status Slice::CloseTargetsFence() {
  return meridian::CloseFence(*target_, {options_.other, {}, {}, {}});
}

absl::Status Slice::DropFence(milliseconds lock_timeout) {
  absl::Status restored = RestoreIdentity(*source_, fence_.name, lock_timeout);
  return restored.ok() ? meridian::DropFence(*source_, fence_, lock_timeout) : restored;
}

absl::StatusOr<std::string> Slice::WhoUsesTables() {
  std::vector<TableName> names;
  for (const MovedTable& table : tables_) names.push_back(table.name);
  return UsersOfTables(*source_, names);
}

absl::StatusOr<ChangeStream::Slot> Slice::MakeSlot(ChangeStream& stream) {
  const std::string name = CopyName();
  if (absl::Status made = MakePublication(*source_, name, tables_); !made.ok()) return made;
  return stream.CreateSlot(name);
}

absl::Status Slice::Prepare() {
  auto stream = ChangeStream::Connect(Unlimited(source_primary_));
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
  auto stream = ChangeStream::Connect(Unlimited(source_primary_));
  if (!stream.ok()) return stream.status();
  const auto slot = MakeSlot(*stream);
  if (!slot.ok()) return slot.status();
  start_ = slot->start;
  auto from = OpenSnapshot(Unlimited(source_primary_), slot->snapshot);
  if (!from.ok()) return from.status();
  auto to = OpenForRows(Unlimited(target_primary_));
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
  auto applier = ChangeApplier::Connect(Unlimited(target_primary_), name, tables_);
  if (!applier.ok()) return applier.status();
  applier_.emplace(*std::move(applier));
  applier_->set_fetch([this](const MovedTable& table, const std::vector<std::string>& columns,
                             absl::Span<const PgParameter> identity) {
    return FetchFromSource(table, columns, identity);
  });
  auto stream = ChangeStream::Connect(Unlimited(source_primary_));
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

// A second slot gives a snapshot of the source and the place in the stream to which it belongs;
// there the target has the same, or something has gone wrong.
absl::StatusOr<bool> Slice::Verify(absl::FunctionRef<absl::Status()> meanwhile) {
  const std::string name = CopyName() + "_verify";
  if (absl::Status none = ChangeStream::DropSlot(*source_, name); !none.ok()) return none;
  std::stop_source give_up;
  const std::stop_callback also(source_primary_.stop, [&] { give_up.request_stop(); });
  PgTarget source = Unlimited(source_primary_);
  PgTarget target = Unlimited(target_primary_);
  source.stop = target.stop = give_up.get_token();
  auto exporter = ChangeStream::Connect(source);
  if (!exporter.ok()) return exporter.status();
  auto made = std::async(std::launch::async, [&] { return exporter->CreateSlot(name); });
  // It takes until the transactions that are running have ended. Nothing is applied meanwhile: that
  // could be more than the snapshot shows.
  while (made.wait_for(milliseconds(500)) != std::future_status::ready) {
    absl::Status fine = stream_->KeepAlive();
    if (fine.ok()) fine = meanwhile();
    if (fine.ok()) continue;
    give_up.request_stop();
    made.wait();
    return fine;
  }
  const auto slot = made.get();
  if (!slot.ok()) return slot.status();
  auto at_source = OpenSnapshot(source, slot->snapshot);
  if (!at_source.ok()) return at_source.status();
  // So that a transaction behind the snapshot comes, whether anybody writes or not.
  if (absl::Status emitted = EmitBarrier(name); !emitted.ok()) return emitted;
  const auto there = follower_->UpTo(slot->start, steady_clock::now() + kBarrierMax);
  if (!there.ok()) return there.status();
  if (!*there) return NotPossible("the target does not catch up", "It is tried again.");
  if (ahead_until_ > slot->start) {
    absl::Status dropped = ChangeStream::DropSlot(*source_, name);
    if (!dropped.ok()) return dropped;
    return false;
  }
  auto at_target = OpenForRows(target);
  if (!at_target.ok()) return at_target.status();
  auto begun = at_target->Script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1");
  if (!begun.ok()) return begun.status();
  absl::Status same = CompareSnapshots(*at_source, *at_target, give_up, meanwhile);
  absl::Status dropped = ChangeStream::DropSlot(*source_, name);
  if (!same.ok()) return same;
  if (!dropped.ok()) return dropped;
  return true;
}

absl::Status Slice::CompareSnapshots(PgConnection& at_source, PgConnection& at_target,
                                     std::stop_source& give_up,
                                     absl::FunctionRef<absl::Status()> meanwhile) {
  constexpr uint32_t kBuckets = 256;
  for (const MovedTable& table : tables_) {
    const auto digest = [&table](PgConnection& shard) {
      return std::async(std::launch::async, [&] { return DigestRows(shard, table, kBuckets); });
    };
    auto a = digest(at_source);
    auto b = digest(at_target);
    absl::Status fine;
    while (a.wait_for(seconds(0)) != std::future_status::ready ||
           b.wait_for(seconds(0)) != std::future_status::ready) {
      if (!fine.ok()) {  // no digest is waited for that nobody needs
        give_up.request_stop();
        break;
      }
      auto followed = follower_->Until("", steady_clock::now() + milliseconds(50));
      fine = followed.ok() ? meanwhile() : followed.status();
    }
    const auto source_rows = a.get();
    const auto target_rows = b.get();
    if (!fine.ok()) return fine;
    if (!source_rows.ok()) return source_rows.status();
    if (!target_rows.ok()) return target_rows.status();
    const size_t differing = DifferingBuckets(*source_rows, *target_rows).size();
    if (differing == 0) continue;
    return SqlStatus(kRowsDiffer,
                     fmt::format("table {} is not the same on both shards: {} of {} parts differ",
                                 table.name.ToString(), differing, kBuckets),
                     "Something else than this move has written to the range at the target.");
  }
  return absl::OkStatus();
}

absl::StatusOr<Lsn> Slice::TargetPosition() {
  auto lsn = target_->Query("SELECT pg_current_wal_insert_lsn()");
  if (!lsn.ok()) return lsn.status();
  return ParseLsn(lsn->Text(0, 0)).value_or(0);
}

}  // namespace meridian
