// The phases of a move, as the catalog's table `moves` has them. Each is written before its work is
// begun, by a mover whose term is the highest; whatever was begun and not ended is done again, or
// undone, by whoever finds it.
#pragma once

#include <string_view>

namespace meridian::move_phase {

// Nothing has happened.
inline constexpr std::string_view kQueued = "queued";
// The map says that the range moves, and that the target may have rows of it: once all proxies plan
// with that, rows may come.
inline constexpr std::string_view kAnnounced = "announced";
// Fence, publication, slot; the rows by COPY. Begins anew after a failure.
inline constexpr std::string_view kCopying = "copying";
// The target has the rows of the slot's snapshot, and follows the source's changes.
inline constexpr std::string_view kFollowing = "following";
// The map says that the range is held: proxies drain, the fence is armed, the last changes are
// applied.
inline constexpr std::string_view kSwitching = "switching";
// That has not come to its end in time: the decision that it is undone, for now. The fence opens,
// then the range is released.
inline constexpr std::string_view kUndoing = "undoing";
// The target owns the range. From here on there is only forward. Once no proxy uses an older map,
// the source's rows may go.
inline constexpr std::string_view kSwitched = "switched";
inline constexpr std::string_view kCleaning = "cleaning";
// Where the move is to be reversible: the rows of the former owner follow the new one's, until the
// range goes back, by the same steps with exchanged roles, or the move is finished.
inline constexpr std::string_view kReversible = "reversible";
// The decision to undo all of it, which is tried until it is done.
inline constexpr std::string_view kCancelling = "cancelling";
// The ends.
inline constexpr std::string_view kDone = "done";
inline constexpr std::string_view kReversed = "reversed";
inline constexpr std::string_view kCancelled = "cancelled";
inline constexpr std::string_view kFailed = "failed";

}  // namespace meridian::move_phase
