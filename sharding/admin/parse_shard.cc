// CREATE SHARD, ALTER SHARD, DROP SHARD.
#include "sharding/admin/syntax.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

NodeAddress TakeNode(Cursor& cursor) {
  const int position = cursor.PositionHere();
  auto node = ParseNodeAddress(cursor.TakeString());
  if (node.ok()) return *std::move(node);
  cursor.FailAt(position, node.status());
  return {};
}

}  // namespace

Command ParseCreateShard(Cursor& cursor) {
  CreateShard command{cursor.TakeName(), {}, {}};
  cursor.TakeKeyword("options");
  cursor.TakeSymbol('(');
  bool has_dbname = false;
  do {
    const int position = cursor.PositionHere();
    if (cursor.AcceptKeyword("host")) {
      command.nodes.push_back(TakeNode(cursor));
    } else if (cursor.AcceptKeyword("dbname")) {
      if (has_dbname) {
        cursor.FailAt(position, SqlStatus(sqlstate::kSyntaxError, "DBNAME is given twice"));
      }
      has_dbname = true;
      command.dbname = cursor.TakeString();
    } else {
      cursor.FailHere();
    }
  } while (cursor.AcceptSymbol(','));
  if (command.nodes.empty()) {
    cursor.FailAt(cursor.PositionHere(),
                  SqlStatus(sqlstate::kSyntaxError, "a shard needs at least one HOST"));
  }
  cursor.TakeSymbol(')');
  return command;
}

Command ParseAlterShard(Cursor& cursor) {
  AlterShard command{cursor.TakeName(), AlterShard::Action::kAddHost, {}};
  if (cursor.AcceptKeyword("drop")) {
    command.action = AlterShard::Action::kDropHost;
  } else {
    cursor.TakeKeyword("add");
  }
  cursor.TakeKeyword("host");
  command.node = TakeNode(cursor);
  return command;
}

Command ParseDropShard(Cursor& cursor) { return DropShard{cursor.TakeName()}; }

}  // namespace meridian
