// What a move does to the shard map, as pure functions on a draft: each is one change of the
// catalog, one epoch. 40001 where the draft is not as the step expects it.
#pragma once

#include <absl/status/status.h>

#include "sharding/catalog/map_draft.h"
#include "sharding/catalog/moves.h"
#include "sharding/lsn.h"

namespace meridian::map_steps {

// The range is on the move, and the target may have rows of it. 55006 where it is already, or too
// many are.
absl::Status Announce(const MoveRequest& move, MapDraft& draft);
// No statement begins to use the range; or statements do again.
absl::Status Hold(const MoveRequest& move, MapDraft& draft);
absl::Status Release(const MoveRequest& move, MapDraft& draft);
// The target owns it, the source has rows of it. `complete_at`: RangeMove::complete_at.
absl::Status Swap(const MoveRequest& move, Lsn complete_at, MapDraft& draft);
// The range rests where it is; nobody else has rows of it.
absl::Status End(const MoveRequest& move, MapDraft& draft);

// Cuts the range, which must be at rest, in two: what is from `at` on is the new range `upper`.
// 40001 where that does not fit any more.
absl::Status Split(const std::string& distribution, const std::string& range, const KeyBound& at,
                   const std::string& upper, MapDraft& draft);
// The first slice of a move: what is below `at` becomes the range move.range, cut from `whole`, and
// is announced.
absl::Status AnnounceSlice(const MoveRequest& move, const std::string& whole, const KeyBound& at,
                           MapDraft& draft);
// Unites neighbours of one owner, if that is what they are, at rest, under `name`.
void Join(const std::string& lower, const std::string& upper, const std::string& name,
          MapDraft& draft);

}  // namespace meridian::map_steps
