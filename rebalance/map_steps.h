// What a move does to the shard map, as pure functions on a draft: each is one change of the
// catalog, one epoch. 40001 where the draft is not as the step expects it.
#pragma once

#include <absl/status/status.h>

#include "sharding/catalog/map_draft.h"
#include "sharding/catalog/moves.h"
#include "sharding/lsn.h"

namespace meridian::map_steps {

// The range is on the move, and the target may have rows of it. 55006 where another range of the
// distribution moves.
absl::Status Announce(const MoveRequest& move, MapDraft& draft);
// No statement begins to use the range; or statements do again.
absl::Status Hold(const MoveRequest& move, MapDraft& draft);
absl::Status Release(const MoveRequest& move, MapDraft& draft);
// The target owns it, the source has rows of it. `complete_at`: RangeMove::complete_at.
absl::Status Swap(const MoveRequest& move, Lsn complete_at, MapDraft& draft);
// The range rests where it is; nobody else has rows of it.
absl::Status End(const MoveRequest& move, MapDraft& draft);

}  // namespace meridian::map_steps
