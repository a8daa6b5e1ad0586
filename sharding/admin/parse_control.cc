// Reference tables, EXPLAIN ROUTE, and what the proxy itself does: KILL, PAUSE, RESUME, RELOAD,
// SHUTDOWN.
#include "sharding/admin/syntax.h"

namespace meridian {
namespace {

std::optional<std::string> TakeOptionalShard(Cursor& cursor) {
  if (!cursor.AcceptKeyword("shard")) return std::nullopt;
  return cursor.TakeName();
}

}  // namespace

Command ParseCreateReferenceTable(Cursor& cursor) {
  return CreateReferenceTable{cursor.TakeTable()};
}

Command ParseDropReferenceTable(Cursor& cursor) { return DropReferenceTable{cursor.TakeTable()}; }

Command ParseExplainRoute(Cursor& cursor) {
  if (cursor.AtEnd()) cursor.FailHere();
  return ExplainRoute{cursor.TakeRest()};
}

Command ParseKillClient(Cursor& cursor) { return KillClient{cursor.TakeUnsigned()}; }

Command ParsePause(Cursor& cursor) { return Pause{TakeOptionalShard(cursor)}; }

Command ParseResume(Cursor& cursor) { return Resume{TakeOptionalShard(cursor)}; }

Command ParseReload(Cursor&) { return Reload{}; }

Command ParseShutdown(Cursor&) { return Shutdown{}; }

}  // namespace meridian
