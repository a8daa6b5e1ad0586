#include "rebalance/slice.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "rebalance/full_identity.h"
#include "rebalance/mover_lease.h"
#include "rebalance/remove_rows.h"
#include "rebalance/split_point.h"
#include "sharding/catalog/shard_support.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStatement{30'000};
// Copies, digests and the creation of slots take as long as they take; a lost lease ends them.
constexpr milliseconds kNoLimit{0};

absl::Status Gone(std::string_view kind, const std::string& name) {
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                   fmt::format("{} \"{}\" is gone", kind, name));
}

}  // namespace

absl::Status Slice::Open(std::shared_ptr<const ShardMap> map, const MoveRequest& way,
                         const ShardAccess& access, Ends ends) {
  map_ = std::move(map);
  absl::Status ready = FindRange(way);
  if (ready.ok()) ready = Connect(way, access, ends);
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

absl::Status Slice::Connect(const MoveRequest& way, const ShardAccess& access, Ends ends) {
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
    primary->statement_timeout = kNoLimit;
    return absl::OkStatus();
  };
  absl::Status done = connect(way.source, &source_primary_, &source_);
  if (!done.ok() || ends == Ends::kSource) return done;
  return connect(way.target, &target_primary_, &target_);
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
  for (std::optional<PgConnection>* const shard : {&source_, &target_}) {
    if (!*shard) continue;
    if (absl::Status ready = EnsureShardSupport(**shard); !ready.ok()) return ready;
    if (absl::Status alone = EndOtherMovers(**shard, options_.term); !alone.ok()) return alone;
  }
  return absl::OkStatus();
}

void Slice::Hurry(milliseconds statement) {
  source_->set_statement_timeout(statement);
  target_->set_statement_timeout(statement);
  applier_->set_statement_timeout(statement);
}

void Slice::Unhurry() {
  source_->set_statement_timeout(kStatement);
  target_->set_statement_timeout(kStatement);
  applier_->set_statement_timeout(kNoLimit);
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

}  // namespace meridian
