// What must hold before the rows of a slice move, and how many they are.
#include "rebalance/slice.h"

#include <fmt/format.h>

#include <utility>

#include "rebalance/split_point.h"
#include "rebalance/table_sample.h"
#include "sharding/admin/table_check.h"
#include "sharding/admin/table_definition.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

absl::Status NotPossible(std::string message, std::string hint) {
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState, std::move(message), std::move(hint));
}

}  // namespace

absl::Status Slice::CheckOwner(const std::string& source) const {
  const KeyRange& range = distribution_->ranges()[range_];
  const std::string& owner = map_->shard(range.owner).name;
  if (owner == source) return absl::OkStatus();
  return NotPossible(fmt::format("key range \"{}\" is on shard \"{}\" by now, not on \"{}\"",
                                 range.name, owner, source),
                     "SHOW KEY RANGES tells where each is.");
}

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

}  // namespace meridian
