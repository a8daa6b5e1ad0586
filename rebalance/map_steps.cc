#include "rebalance/map_steps.h"

#include <fmt/format.h>

#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian::map_steps {
namespace {

absl::Status Unexpected(const MoveRequest& move) {
  return SqlStatus(sqlstate::kSerializationFailure,
                   fmt::format("key range \"{}\" is not as its move has left it", move.range));
}

struct Place {
  DraftRange* range = nullptr;
  const DraftRange* next = nullptr;  // the range behind it, if any
};

absl::StatusOr<Place> Find(const MoveRequest& move, MapDraft& draft) {
  DraftDistribution* const distribution = draft.FindDistribution(move.distribution);
  if (distribution == nullptr) return Unexpected(move);
  std::vector<DraftRange>& ranges = distribution->ranges;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].name != move.range) continue;
    return Place{&ranges[i], i + 1 < ranges.size() ? &ranges[i + 1] : nullptr};
  }
  return Unexpected(move);
}

void AddStrays(const MoveRequest& move, const std::string& shard, const Place& place,
               MapDraft& draft) {
  DraftStrays& strays = draft.strays.emplace_back();
  strays = {shard, move.distribution, place.range->lower, std::nullopt};
  if (place.next != nullptr) strays.upper = place.next->lower;
}

void DropStrays(const MoveRequest& move, const std::string& shard, const Place& place,
                MapDraft& draft) {
  std::erase_if(draft.strays, [&](const DraftStrays& strays) {
    return strays.shard == shard && strays.distribution == move.distribution &&
           Compare(strays.lower.values, place.range->lower.values) == 0;
  });
}

}  // namespace

absl::Status Announce(const MoveRequest& move, MapDraft& draft) {
  auto place = Find(move, draft);
  if (!place.ok()) return place.status();
  if (absl::Status rests = RequireAtRest(*place->range); !rests.ok()) return rests;
  if (place->range->owner != move.source || draft.FindShard(move.target) == nullptr) {
    return Unexpected(move);
  }
  size_t moving = 0;
  for (const DraftDistribution& distribution : draft.distributions) {
    for (const DraftRange& range : distribution.ranges) moving += range.move.has_value();
  }
  if (moving >= kMaxMovingRanges) {
    return SqlStatus(sqlstate::kObjectInUse,
                     fmt::format("{} key ranges are on the move, more cannot be", moving),
                     "FINISH MOVE ends those that can be reversed.");
  }
  place->range->move = DraftRangeMove{.peer = move.target};
  AddStrays(move, move.target, *place, draft);
  return absl::OkStatus();
}

namespace {

absl::Status SetHeld(const MoveRequest& move, bool held, MapDraft& draft) {
  auto place = Find(move, draft);
  if (!place.ok()) return place.status();
  if (!place->range->move || place->range->owner != move.source) return Unexpected(move);
  place->range->move->held = held;
  return absl::OkStatus();
}

}  // namespace

absl::Status Hold(const MoveRequest& move, MapDraft& draft) { return SetHeld(move, true, draft); }

absl::Status Release(const MoveRequest& move, MapDraft& draft) {
  return SetHeld(move, false, draft);
}

absl::Status Swap(const MoveRequest& move, Lsn complete_at, MapDraft& draft) {
  auto place = Find(move, draft);
  if (!place.ok()) return place.status();
  DraftRange& range = *place->range;
  if (!range.move || !range.move->held || range.owner != move.source) return Unexpected(move);
  range.owner = move.target;
  range.move = DraftRangeMove{move.source, false, complete_at};
  DropStrays(move, move.target, *place, draft);
  AddStrays(move, move.source, *place, draft);
  return absl::OkStatus();
}

absl::Status Split(const std::string& distribution, const std::string& range, const KeyBound& at,
                   const std::string& upper, MapDraft& draft) {
  MoveRequest named;
  named.range = range;
  named.distribution = distribution;
  auto place = Find(named, draft);
  if (!place.ok()) return place.status();
  if (absl::Status rests = RequireAtRest(*place->range); !rests.ok()) return rests;
  if (Compare(at.values, place->range->lower.values) <= 0 ||
      (place->next != nullptr && Compare(at.values, place->next->lower.values) >= 0)) {
    return Unexpected(named);
  }
  for (const DraftDistribution& other : draft.distributions) {
    for (const DraftRange& taken : other.ranges) {
      if (taken.name == upper) return Unexpected(named);
    }
  }
  std::vector<DraftRange>& ranges = draft.FindDistribution(distribution)->ranges;
  ranges.insert(ranges.begin() + (place->range - ranges.data()) + 1,
                {upper, at, place->range->owner});
  return absl::OkStatus();
}

absl::Status AnnounceSlice(const MoveRequest& move, const std::string& whole, const KeyBound& at,
                           MapDraft& draft) {
  // The upper part keeps the name.
  absl::Status split = Split(move.distribution, whole, at, move.range, draft);
  if (!split.ok()) return split;
  std::vector<DraftRange>& ranges = draft.FindDistribution(move.distribution)->ranges;
  for (size_t r = 0; r + 1 < ranges.size(); ++r) {
    if (ranges[r].name != whole) continue;
    std::swap(ranges[r].name, ranges[r + 1].name);
    break;
  }
  return Announce(move, draft);
}

void Join(const std::string& lower, const std::string& upper, const std::string& name,
          MapDraft& draft) {
  for (DraftDistribution& distribution : draft.distributions) {
    std::vector<DraftRange>& ranges = distribution.ranges;
    for (size_t r = 0; r + 1 < ranges.size(); ++r) {
      DraftRange &a = ranges[r], &b = ranges[r + 1];
      if (a.name != lower || b.name != upper || a.owner != b.owner || a.move || b.move) continue;
      a.name = name;
      ranges.erase(ranges.begin() + static_cast<long>(r) + 1);
      return;
    }
  }
}

absl::Status End(const MoveRequest& move, MapDraft& draft) {
  auto place = Find(move, draft);
  if (!place.ok()) return place.status();
  if (!place->range->move) return absl::OkStatus();
  DropStrays(move, place->range->move->peer, *place, draft);
  place->range->move.reset();
  return absl::OkStatus();
}

}  // namespace meridian::map_steps
