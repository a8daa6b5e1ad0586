// Places where a test has the process killed or stopped: before and after each step that must
// survive it. Off, and then one load of an atomic, unless the setting debug.fault_points names
// them.
//
// Any thread.
#pragma once

#include <absl/status/status.h>

#include <array>
#include <string_view>

namespace meridian {

// A commit on several shards (proxy/session/transaction_end.h), and its recovery
// (proxy/control/shard_recovery.h). "sent": what the step sends is written.
// Of a move (rebalance/move_run.h), and of what it meets (proxy/session/session_retry.cc): before
// and after each step that is written down.
inline constexpr std::array<std::string_view, 32> kFaultPoints = {
    "commit.begin",         // nothing is prepared
    "commit.prepare_sent",  //
    "commit.prepared_one",  // one of the shards has prepared, or has the record
    "commit.prepared",      // all have
    "commit.decide_sent",   //
    "commit.decided",       // the lead has committed
    "commit.finish_sent",   //
    "commit.finished_one",  // one of the others has committed what it had prepared
    "commit.finished",      // all have; the client does not know yet
    "commit.abort_sent",    //
    "recovery.resolved",    // the lead's record was read, or written
    "recovery.finished",    // and followed
    "write.planned",        // a write to a range on the move, not sent
    "move.announce",        // before the map says that the range moves
    "move.announced",       //
    "move.copying",         //
    "move.copied",          // the rows are at the target, the catalog does not say so yet
    "move.following",       //
    "move.verified",        //
    "move.held",            // the map says that the range is held
    "move.drained",         // all proxies hold it
    "move.fenced",          // the fence is armed
    "move.swap",            // the target has all, the owner is as before
    "move.undoing",         // the catalog says that the cut-over is undone
    "move.undone",          // the fence is open again, the range still held
    "move.switched",        // the target is the owner
    "move.reversible",      //
    "move.cleaning",        //
    "move.removed",         // the source has no rows of the range
    "move.end",             // nor anything else of the move
    "move.cancelling",      //
    "move.undo_end",        // all is undone, the catalog does not say so yet
};

// "commit.decided=kill, recovery.resolved=pause": kill ends the process as kill -9 does, pause
// stops the thread until the point is named no more, or to kill. Empty: none. InvalidArgument for
// any other text.
absl::Status CheckFaultPoints(std::string_view text);
// Precondition: CheckFaultPoints(text).
void SetFaultPoints(std::string_view text);

// At the place. `point` is one of kFaultPoints. True: what comes now is to fail.
bool FaultPoint(std::string_view point);

}  // namespace meridian
