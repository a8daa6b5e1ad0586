// CREATE, DROP and ALTER DISTRIBUTION.
#include <fmt/format.h>

#include "sharding/admin/syntax.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr size_t kMaxKeyColumns = 8;
constexpr char kTypesHint[] =
    "A key column is of type smallint, integer, bigint, text, varchar, uuid, date, timestamp, "
    "timestamptz, bytea or (without HASH) numeric.";

// A type's name may have several words: timestamp with time zone.
KeyType TakeType(Cursor& cursor) {
  const int position = cursor.PositionHere();
  std::string name = cursor.TakeName();
  while (cursor.Peek().kind == AdminToken::Kind::kName && !cursor.IsKeyword("hash") &&
         !cursor.IsKeyword("shards") && cursor.status().ok()) {
    name += ' ' + cursor.TakeName();
  }
  const auto type = KeyTypeByName(name);
  if (!type) {
    cursor.FailAt(position,
                  SqlStatus(sqlstate::kUndefinedObject,
                            fmt::format("type \"{}\" cannot be a key", name), kTypesHint));
  }
  return type.value_or(KeyType::kBigint);
}

KeyColumn TakeColumn(Cursor& cursor) {
  KeyColumn column{TakeType(cursor), false};
  const int position = cursor.PositionHere();
  column.hashed = cursor.AcceptKeyword("hash");
  if (column.hashed && !IsHashable(column.type)) {
    cursor.FailAt(position,
                  SqlStatus(sqlstate::kInvalidParameterValue,
                            fmt::format("type {} cannot be hashed", KeyTypeName(column.type)),
                            "Leave HASH out: the distribution is then by ranges of values."));
  }
  return column;
}

}  // namespace

Command ParseCreateDistribution(Cursor& cursor) {
  CreateDistribution command{cursor.TakeName(), {}, {}};
  cursor.TakeKeyword("column");
  cursor.TakeKeyword("types");
  const int position = cursor.PositionHere();
  do {
    command.columns.push_back(TakeColumn(cursor));
  } while (cursor.AcceptSymbol(','));
  if (command.columns.size() > kMaxKeyColumns) {
    cursor.FailAt(position, SqlStatus(sqlstate::kProgramLimitExceeded,
                                      fmt::format("a key has at most {} columns", kMaxKeyColumns)));
  }
  if (cursor.AcceptKeyword("shards")) {
    cursor.TakeSymbol('(');
    command.shards = cursor.TakeNames();
    cursor.TakeSymbol(')');
  }
  return command;
}

Command ParseDropDistribution(Cursor& cursor) { return DropDistribution{cursor.TakeName()}; }

Command ParseAlterDistribution(Cursor& cursor) {
  std::string distribution = cursor.TakeName();
  if (cursor.AcceptKeyword("detach")) {
    cursor.TakeKeyword("table");
    return DetachTable{std::move(distribution), cursor.TakeTable()};
  }
  cursor.TakeKeyword("attach");
  cursor.TakeKeyword("table");
  AttachTable command{std::move(distribution), cursor.TakeTable(), {}};
  cursor.TakeKeyword("distribution");
  cursor.TakeKeyword("key");
  command.key_columns = cursor.TakeNames();
  return command;
}

}  // namespace meridian
