// What the admin commands do to the shard map, as pure functions on a draft. An error leaves the
// draft in no useful state: throw it away.
//
// Errors: 42704 something named does not exist, 42710 it exists already, 2BP01 something depends on
// it, 22023 and 55000 for what the rules of the map forbid; each says what to do.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "sharding/admin/command.h"
#include "sharding/catalog/map_draft.h"

namespace meridian {

absl::Status Apply(const CreateShard& command, MapDraft& draft);
absl::Status Apply(const AlterShard& command, MapDraft& draft);
absl::Status Apply(const DropShard& command, MapDraft& draft);

// With HASH first, the key space is cut evenly over the shards (all, where none are named).
absl::Status Apply(const CreateDistribution& command, MapDraft& draft);
absl::Status Apply(const DropDistribution& command, MapDraft& draft);

// The owner of a key that may have rows never changes by these: that is what moves are for.
absl::Status Apply(const CreateKeyRange& command, MapDraft& draft);
absl::Status Apply(const SplitKeyRange& command, MapDraft& draft);
absl::Status Apply(const UniteKeyRanges& command, MapDraft& draft);

// A move as the map allows it: the range is not on the move (55006), and its owner is another shard
// than the target.
absl::StatusOr<MoveRequest> RequestMove(const MoveKeyRange& command, const ShardMap& map);

// What must be true on the shards for these is checked elsewhere (table_work.h).
absl::Status Apply(const AttachTable& command, MapDraft& draft);
absl::Status Apply(const DetachTable& command, MapDraft& draft);
absl::Status Apply(const CreateReferenceTable& command, MapDraft& draft);
absl::Status Apply(const DropReferenceTable& command, MapDraft& draft);

// The errors for names that are not there, and the things themselves.
absl::StatusOr<Shard*> RequireShard(MapDraft& draft, std::string_view name);
absl::StatusOr<DraftDistribution*> RequireDistribution(MapDraft& draft, std::string_view name);
// A name that no range has, made of this one: a_2.
std::string FreeRangeName(MapDraft& draft, const std::string& range);
// 55006 where the range, or one of the distribution's, is on the move.
absl::Status RequireAtRest(const DraftRange& range);
absl::Status RequireAtRest(const DraftDistribution& distribution);

}  // namespace meridian
