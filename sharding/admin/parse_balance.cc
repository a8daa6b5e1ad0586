// REBALANCE, SET REBALANCER, DRAIN SHARD, ISOLATE KEY.
#include "sharding/admin/syntax.h"

namespace meridian {
namespace {

bool AcceptDryRun(Cursor& cursor) {
  if (!cursor.AcceptKeyword("dry")) return false;
  cursor.TakeKeyword("run");
  return true;
}

}  // namespace

Command ParseRebalance(Cursor& cursor) {
  Rebalance command;
  if (cursor.AcceptKeyword("distribution")) command.distribution = cursor.TakeName();
  command.dry_run = AcceptDryRun(cursor);
  return command;
}

Command ParseSetRebalancer(Cursor& cursor) {
  using Mode = SetRebalancer::Mode;
  if (cursor.AcceptKeyword("on")) return SetRebalancer{Mode::kOn};
  if (cursor.AcceptKeyword("off")) return SetRebalancer{Mode::kOff};
  if (!AcceptDryRun(cursor)) cursor.FailHere();
  return SetRebalancer{Mode::kDryRun};
}

Command ParseDrainShard(Cursor& cursor) {
  DrainShard command{cursor.TakeName(), false};
  command.dry_run = AcceptDryRun(cursor);
  return command;
}

Command ParseIsolateKey(Cursor& cursor) {
  IsolateKey command;
  do {
    command.key.push_back(cursor.TakeLiteral());
  } while (cursor.AcceptSymbol(','));
  cursor.TakeKeyword("in");
  cursor.TakeKeyword("distribution");
  command.distribution = cursor.TakeName();
  cursor.TakeKeyword("to");
  command.shard = cursor.TakeName();
  return command;
}

}  // namespace meridian
