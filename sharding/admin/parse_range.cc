// CREATE, SPLIT and UNITE KEY RANGE.
#include "sharding/admin/syntax.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

std::optional<BoundLiteral> TakeComponent(Cursor& cursor) {
  if (cursor.AcceptKeyword("minvalue")) return std::nullopt;
  if (cursor.IsKeyword("maxvalue")) {
    cursor.FailAt(cursor.PositionHere(),
                  SqlStatus(sqlstate::kSyntaxError, "a range has no MAXVALUE",
                            "A range reaches up to the next range's bound, the last one to the "
                            "end of the key space."));
  }
  return cursor.TakeLiteral();
}

// Only trailing components may be MINVALUE: what is left out is the lowest as well.
BoundText TakeBound(Cursor& cursor) {
  BoundText bound;
  do {
    const int position = cursor.PositionHere();
    const bool behind_minvalue = !bound.empty() && !bound.back();
    bound.push_back(TakeComponent(cursor));
    if (behind_minvalue && bound.back()) {
      cursor.FailAt(position, SqlStatus(sqlstate::kSyntaxError,
                                        "MINVALUE can be followed only by MINVALUE in a bound"));
    }
  } while (cursor.AcceptSymbol(','));
  return bound;
}

}  // namespace

Command ParseCreateKeyRange(Cursor& cursor) {
  CreateKeyRange command;
  if (!cursor.IsKeyword("from")) command.name = cursor.TakeName();
  cursor.TakeKeyword("from");
  command.from = TakeBound(cursor);
  cursor.TakeKeyword("route");
  cursor.TakeKeyword("to");
  command.shard = cursor.TakeName();
  cursor.TakeKeyword("for");
  cursor.TakeKeyword("distribution");
  command.distribution = cursor.TakeName();
  return command;
}

Command ParseSplitKeyRange(Cursor& cursor) {
  SplitKeyRange command;
  command.new_range = cursor.TakeName();
  cursor.TakeKeyword("from");
  command.old_range = cursor.TakeName();
  cursor.TakeKeyword("by");
  command.by = TakeBound(cursor);
  return command;
}

Command ParseUniteKeyRange(Cursor& cursor) {
  UniteKeyRanges command;
  command.kept = cursor.TakeName();
  cursor.TakeKeyword("with");
  command.gone = cursor.TakeName();
  return command;
}

}  // namespace meridian
