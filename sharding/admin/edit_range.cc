#include <fmt/format.h>

#include <algorithm>

#include "sharding/admin/bound_text.h"
#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

struct RangePlace {
  DraftDistribution* distribution;
  size_t index;
  DraftRange& range() const { return distribution->ranges[index]; }
};

std::optional<RangePlace> FindRange(MapDraft& draft, std::string_view name) {
  for (DraftDistribution& distribution : draft.distributions) {
    for (size_t i = 0; i < distribution.ranges.size(); ++i) {
      if (distribution.ranges[i].name == name) return RangePlace{&distribution, i};
    }
  }
  return std::nullopt;
}

absl::StatusOr<RangePlace> RequireRange(MapDraft& draft, std::string_view name) {
  if (auto place = FindRange(draft, name)) return *place;
  return SqlStatus(sqlstate::kUndefinedObject, fmt::format("key range \"{}\" does not exist", name),
                   "SHOW KEY RANGES lists the key ranges.");
}

absl::Status RequireNewName(MapDraft& draft, std::string_view name) {
  if (!FindRange(draft, name)) return absl::OkStatus();
  return SqlStatus(sqlstate::kDuplicateObject, fmt::format("key range \"{}\" already exists", name),
                   "The names of key ranges are unique over all distributions.");
}

std::string FreeName(MapDraft& draft, const DraftDistribution& distribution) {
  for (size_t n = distribution.ranges.size() + 1;; ++n) {
    std::string name = fmt::format("{}_{}", distribution.name, n);
    if (!FindRange(draft, name)) return name;
  }
}

// The place of the range that holds `bound`, whose lower bound must not be `bound` itself.
absl::StatusOr<size_t> RangeAround(const DraftDistribution& distribution, const KeyBound& bound) {
  const auto above = std::upper_bound(
      distribution.ranges.begin(), distribution.ranges.end(), bound,
      [](const KeyBound& b, const DraftRange& r) { return Compare(b.values, r.lower.values) < 0; });
  const auto holder = above - 1;  // the first range starts with MINVALUE, which is above nothing
  if (Compare(holder->lower.values, bound.values) != 0) {
    return static_cast<size_t>(holder - distribution.ranges.begin());
  }
  return SqlStatus(sqlstate::kDuplicateObject,
                   fmt::format("key range \"{}\" already starts at {}", holder->name,
                               BoundSql(distribution.columns, bound)));
}

bool HasTables(const MapDraft& draft, const DraftDistribution& distribution) {
  return std::any_of(draft.tables.begin(), draft.tables.end(), [&](const DraftTable& table) {
    return table.kind == MappedTable::Kind::kSharded && table.distribution == distribution.name;
  });
}

void InsertBehind(DraftDistribution& distribution, size_t index, DraftRange range) {
  distribution.ranges.insert(distribution.ranges.begin() + static_cast<long>(index) + 1,
                             std::move(range));
}

// The first range of a distribution must take the whole key space.
absl::Status AddFirst(DraftDistribution& distribution, DraftRange range) {
  if (!range.lower.is_min()) {
    return SqlStatus(
        sqlstate::kInvalidParameterValue,
        fmt::format("the first key range of distribution \"{}\" must start with MINVALUE",
                    distribution.name),
        fmt::format("Begin with: CREATE KEY RANGE FROM MINVALUE ROUTE TO {} FOR DISTRIBUTION {}.",
                    QuoteIdentifier(range.owner), QuoteIdentifier(distribution.name)));
  }
  distribution.ranges.push_back(std::move(range));
  return absl::OkStatus();
}

absl::Status OwnerWouldChange(const DraftDistribution& distribution, const DraftRange& range,
                              const DraftRange& holder) {
  return SqlStatus(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("distribution \"{}\" has tables, whose rows from {} on may be on shard \"{}\"",
                  distribution.name, BoundSql(distribution.columns, range.lower), holder.owner),
      fmt::format("SPLIT KEY RANGE {} FROM {} BY {} makes the range where its rows are.",
                  QuoteIdentifier(range.name), QuoteIdentifier(holder.name),
                  BoundSql(distribution.columns, range.lower)));
}

}  // namespace

std::string FreeRangeName(MapDraft& draft, const std::string& range) {
  for (size_t n = 2;; ++n) {
    std::string name = fmt::format("{}_{}", range, n);
    if (!FindRange(draft, name)) return name;
  }
}

absl::Status RequireAtRest(const DraftRange& range) {
  if (!range.move) return absl::OkStatus();
  return SqlStatus(sqlstate::kObjectInUse,
                   fmt::format("key range \"{}\" is on the move between shards \"{}\" and \"{}\"",
                               range.name, range.owner, range.move->peer),
                   "Wait until the move has ended (SHOW MOVES), or cancel it.");
}

absl::Status RequireAtRest(const DraftDistribution& distribution) {
  for (const DraftRange& range : distribution.ranges) {
    if (absl::Status rests = RequireAtRest(range); !rests.ok()) return rests;
  }
  return absl::OkStatus();
}

absl::Status Apply(const CreateKeyRange& command, MapDraft& draft) {
  auto found = RequireDistribution(draft, command.distribution);
  if (!found.ok()) return found.status();
  DraftDistribution& distribution = **found;
  if (auto shard = RequireShard(draft, command.shard); !shard.ok()) return shard.status();
  auto lower = ResolveBound(distribution.columns, command.from);
  if (!lower.ok()) return lower.status();
  DraftRange range{command.name ? *command.name : FreeName(draft, distribution), *std::move(lower),
                   command.shard};
  if (absl::Status name = RequireNewName(draft, range.name); !name.ok()) return name;
  if (distribution.ranges.empty()) return AddFirst(distribution, std::move(range));
  auto around = RangeAround(distribution, range.lower);
  if (!around.ok()) return around.status();
  const DraftRange& holder = distribution.ranges[*around];
  if (absl::Status rests = RequireAtRest(holder); !rests.ok()) return rests;
  if (holder.owner != range.owner && HasTables(draft, distribution)) {
    return OwnerWouldChange(distribution, range, holder);
  }
  InsertBehind(distribution, *around, std::move(range));
  return absl::OkStatus();
}

absl::Status Apply(const SplitKeyRange& command, MapDraft& draft) {
  auto old = RequireRange(draft, command.old_range);
  if (!old.ok()) return old.status();
  if (absl::Status rests = RequireAtRest(old->range()); !rests.ok()) return rests;
  if (absl::Status name = RequireNewName(draft, command.new_range); !name.ok()) return name;
  DraftDistribution& distribution = *old->distribution;
  auto bound = ResolveBound(distribution.columns, command.by);
  if (!bound.ok()) return bound.status();
  auto around = RangeAround(distribution, *bound);
  if (!around.ok()) return around.status();
  if (*around != old->index) {
    return SqlStatus(sqlstate::kInvalidParameterValue,
                     fmt::format("{} is not inside key range \"{}\" but in \"{}\"",
                                 BoundSql(distribution.columns, *bound), command.old_range,
                                 distribution.ranges[*around].name));
  }
  InsertBehind(distribution, old->index,
               {command.new_range, *std::move(bound), old->range().owner});
  return absl::OkStatus();
}

absl::Status Apply(const UniteKeyRanges& command, MapDraft& draft) {
  auto kept = RequireRange(draft, command.kept);
  if (!kept.ok()) return kept.status();
  auto gone = RequireRange(draft, command.gone);
  if (!gone.ok()) return gone.status();
  for (const RangePlace& place : {*kept, *gone}) {
    if (absl::Status rests = RequireAtRest(place.range()); !rests.ok()) return rests;
  }
  const bool neighbours = kept->distribution == gone->distribution &&
                          (kept->index + 1 == gone->index || gone->index + 1 == kept->index);
  if (!neighbours) {
    return SqlStatus(
        sqlstate::kInvalidParameterValue,
        fmt::format("key ranges \"{}\" and \"{}\" are not neighbours", command.kept, command.gone),
        "Only a range and the one that starts where it ends can be united; SHOW KEY "
        "RANGES lists them in order.");
  }
  if (kept->range().owner != gone->range().owner) {
    return SqlStatus(
        sqlstate::kObjectNotInPrerequisiteState,
        fmt::format("key range \"{}\" is on shard \"{}\", \"{}\" on shard \"{}\"", command.kept,
                    kept->range().owner, command.gone, gone->range().owner),
        "Only ranges of one shard can be united: their rows stay where they are.");
  }
  if (gone->index < kept->index) kept->range().lower = gone->range().lower;
  auto& ranges = kept->distribution->ranges;
  ranges.erase(ranges.begin() + static_cast<long>(gone->index));
  return absl::OkStatus();
}

}  // namespace meridian
