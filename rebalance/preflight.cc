#include "rebalance/preflight.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "rebalance/blockers.h"
#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian {

absl::Status CheckBeforehand(const std::string& owner, Slice& there, Slice* back) {
  if (absl::Status owned = there.CheckOwner(owner); !owned.ok()) return owned;
  if (absl::Status source = there.CheckSource(); !source.ok()) return source;
  if (absl::Status target = there.CheckTarget(); !target.ok()) return target;
  if (back == nullptr) return absl::OkStatus();
  absl::Status reversible = back->CheckSource();
  if (reversible.ok()) return reversible;
  const SqlError error = ToSqlError(reversible);
  return SqlStatus(error.sqlstate,
                   "a reversible move asks the same of the target: " + error.message, error.hint);
}

std::vector<AdminColumn> DryRunColumns() {
  return {{"range"},
          {"source"},
          {"target"},
          {"tables", type_oid::kInt8},
          {"rows", type_oid::kInt8},
          {"bytes", type_oid::kInt8},
          {"slices", type_oid::kInt8},
          {"seconds", type_oid::kInt8},
          {"would_wait_for"}};
}

absl::StatusOr<AdminOutcome> DryRunMove(const MoveKeyRange& command, CatalogStore& store,
                                        const ShardAccess& access) {
  auto map = store.Load();
  if (!map.ok()) return map.status();
  auto request = RequestMove(command, **map);
  if (!request.ok()) return request.status();
  const MoveOptions& options = request->options;
  SliceOptions slice;
  slice.full_identity = options.full_identity;
  Slice there(slice);
  if (absl::Status opened = there.Open(*map, *request, access); !opened.ok()) return opened;
  std::optional<Slice> back;
  if (options.reversible) {
    MoveRequest way_back = *request;
    std::swap(way_back.source, way_back.target);
    back.emplace(slice);
    if (absl::Status opened = back->Open(*map, way_back, access); !opened.ok()) return opened;
  }
  absl::Status fine = CheckBeforehand(request->source, there, back ? &*back : nullptr);
  if (!fine.ok()) return fine;
  const auto size = there.EstimateSize();
  if (!size.ok()) return size.status();
  const auto waits = OldestTransaction(there.source());
  if (!waits.ok()) return waits.status();
  const uint64_t slices =
      options.slice_size == 0 ? 1 : std::max<uint64_t>(1, size->bytes / options.slice_size);
  AdminValue seconds;
  if (options.max_rate > 0) seconds = std::to_string(size->bytes / options.max_rate);
  AdminTable table{DryRunColumns(), {}};
  table.rows.push_back(
      {request->range, request->source, request->target, std::to_string(there.tables().size()),
       std::to_string(size->rows), std::to_string(size->bytes), std::to_string(slices), seconds,
       waits->empty() ? AdminValue()
                      : AdminValue(fmt::format("{} on {}", *waits, request->source))});
  return AdminOutcome{{std::move(table), TagOf(command)}, nullptr};
}

}  // namespace meridian
