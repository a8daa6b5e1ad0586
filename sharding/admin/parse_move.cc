// MOVE KEY RANGE, and what is said to a move.
#include <fmt/format.h>

#include "sharding/admin/syntax.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr MeasureUnit kTimeUnits[] = {{"ms", 1}, {"s", 1'000}, {"min", 60'000}};

bool TakeSwitch(Cursor& cursor) {
  for (const auto* const on : {"on", "true"}) {
    if (cursor.AcceptKeyword(on)) return true;
  }
  for (const auto* const off : {"off", "false"}) {
    if (cursor.AcceptKeyword(off)) return false;
  }
  cursor.FailHere();
  return false;
}

std::optional<std::chrono::milliseconds> TakeTime(Cursor& cursor, int position,
                                                  const std::string& option) {
  const auto time = TakeMeasure(cursor, kTimeUnits, "'2s'");
  if (!time) return std::nullopt;
  if (*time == 0) {
    cursor.FailAt(position, SqlStatus(sqlstate::kInvalidParameterValue,
                                      fmt::format("{} must be longer than 0", option)));
  }
  return std::chrono::milliseconds(*time);
}

void TakeOption(Cursor& cursor, MoveChange& change, bool* dry_run) {
  const int position = cursor.PositionHere();
  const std::string name = cursor.TakeName();
  cursor.AcceptSymbol('=');
  if (name == "max_rate") {
    change.max_rate = TakeMeasure(cursor, kByteUnits, "'20MB/s'");
  } else if (name == "cutover_timeout") {
    change.cutover_timeout = TakeTime(cursor, position, name);
  } else if (name == "max_replica_lag") {
    change.max_replica_lag = TakeTime(cursor, position, name);
  } else if (name == "verify") {
    change.verify = TakeSwitch(cursor);
  } else if (name == "slice_size") {
    change.slice_size = TakeMeasure(cursor, kByteUnits, "'256MB'");
  } else if (name == "reversible") {
    change.reversible = cursor.IsSymbol(',') || cursor.IsSymbol(')') || TakeSwitch(cursor);
  } else if (name == "replica_identity") {
    change.full_identity = cursor.AcceptKeyword("full");
    if (!*change.full_identity) cursor.TakeKeyword("default");
  } else if (name == "dry_run" && dry_run != nullptr) {
    *dry_run = true;
  } else {
    cursor.FailAt(position,
                  SqlStatus(sqlstate::kSyntaxError, fmt::format("unknown option \"{}\"", name),
                            "There is max_rate, slice_size, max_replica_lag, "
                            "cutover_timeout, verify, reversible, replica_identity, dry_run."));
  }
}

// `dry_run`: nullptr where there is no such option.
MoveChange TakeOptions(Cursor& cursor, bool* dry_run) {
  MoveChange change;
  cursor.TakeSymbol('(');
  do {
    TakeOption(cursor, change, dry_run);
  } while (cursor.status().ok() && cursor.AcceptSymbol(','));
  cursor.TakeSymbol(')');
  return change;
}

}  // namespace

Command ParseMoveKeyRange(Cursor& cursor) {
  MoveKeyRange command;
  command.range = cursor.TakeName();
  cursor.TakeKeyword("to");
  command.shard = cursor.TakeName();
  if (cursor.AcceptKeyword("with")) command.options = TakeOptions(cursor, &command.dry_run);
  return command;
}

Command ParsePauseMove(Cursor& cursor) {
  return DirectMove{cursor.TakeUnsigned(), MoveWish::kPause};
}

Command ParseResumeMove(Cursor& cursor) {
  return DirectMove{cursor.TakeUnsigned(), MoveWish::kRun};
}

Command ParseCancelMove(Cursor& cursor) {
  return DirectMove{cursor.TakeUnsigned(), MoveWish::kCancel};
}

Command ParseReverseMove(Cursor& cursor) {
  return DirectMove{cursor.TakeUnsigned(), MoveWish::kReverse};
}

Command ParseFinishMove(Cursor& cursor) {
  return DirectMove{cursor.TakeUnsigned(), MoveWish::kFinish};
}

Command ParseAlterMove(Cursor& cursor) {
  AlterMove command{cursor.TakeUnsigned(), {}};
  cursor.TakeKeyword("set");
  const int position = cursor.PositionHere();
  command.change = TakeOptions(cursor, nullptr);
  if (command.change.reversible || command.change.full_identity) {
    cursor.FailAt(position, SqlStatus(sqlstate::kFeatureNotSupported,
                                      fmt::format("{} cannot be changed",
                                                  command.change.reversible
                                                      ? "whether a move is reversible"
                                                      : "the replica identity of a move"),
                                      "Cancel the move, and ask for it anew; FINISH MOVE ends a "
                                      "reversible one."));
  }
  return command;
}

}  // namespace meridian
