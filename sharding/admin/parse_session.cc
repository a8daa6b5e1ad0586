// The statements that drivers send by themselves.
#include <algorithm>

#include "sharding/admin/syntax.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Kind = SessionStatement::Kind;

// What the statement means hangs on its first words only; transaction modes and the like are
// without meaning here and are not looked at.
struct SessionWord {
  std::string_view word;
  Kind kind;
};
constexpr SessionWord kWords[] = {
    {"begin", Kind::kBegin},       {"start", Kind::kBegin},       {"commit", Kind::kCommit},
    {"end", Kind::kCommit},        {"rollback", Kind::kRollback}, {"abort", Kind::kRollback},
    {"discard", Kind::kDiscard},   {"close", Kind::kCloseAll},    {"deallocate", Kind::kDeallocate},
    {"unlisten", Kind::kUnlisten}, {"set", Kind::kSet},           {"reset", Kind::kReset},
    {"select", Kind::kSelect},
};

// Functions that SELECT knows, with and without parentheses as PostgreSQL writes them.
constexpr std::string_view kFunctions[] = {"version", "current_database", "current_schema",
                                           "pg_advisory_unlock_all"};
constexpr std::string_view kBareFunctions[] = {"current_user", "session_user", "user",
                                               "current_catalog", "current_schema"};

template <size_t n>
bool Contains(const std::string_view (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::string TakeDotted(Cursor& cursor) {
  std::string name = cursor.TakeName();
  while (cursor.AcceptSymbol('.')) name += '.' + cursor.TakeName();
  return name;
}

std::string TakeValue(Cursor& cursor) {
  if (cursor.AtEnd()) cursor.FailHere();
  const bool one_string = cursor.Peek().kind == AdminToken::Kind::kString &&
                          cursor.Peek(1).begin == cursor.Peek(2).begin;
  return one_string ? cursor.TakeString() : cursor.TakeRest();
}

SessionStatement ParseSet(Cursor& cursor) {
  if (cursor.IsKeyword("session") && cursor.IsKeyword("characteristics", 1)) {
    cursor.TakeRest();
    return {Kind::kSet, "transaction", {}};
  }
  if (!cursor.AcceptKeyword("local")) cursor.AcceptKeyword("session");
  if (cursor.IsKeyword("transaction")) {
    cursor.TakeRest();
    return {Kind::kSet, "transaction", {}};
  }
  if (cursor.AcceptKeyword("time")) {
    cursor.TakeKeyword("zone");
    return {Kind::kSet, "timezone", TakeValue(cursor)};
  }
  if (cursor.AcceptKeyword("names")) return {Kind::kSet, "client_encoding", TakeValue(cursor)};
  SessionStatement set{Kind::kSet, TakeDotted(cursor), {}};
  if (!cursor.AcceptKeyword("to")) cursor.TakeSymbol('=');
  set.value = TakeValue(cursor);
  return set;
}

SessionStatement ParseSelect(Cursor& cursor) {
  SessionStatement select{Kind::kSelect, {}, {}};
  const AdminToken first = cursor.Peek();
  if (first.kind == AdminToken::Kind::kNumber) {
    select.name = std::to_string(cursor.TakeUnsigned());
  } else if (first.kind == AdminToken::Kind::kName) {
    if (cursor.AcceptKeyword("pg_catalog")) cursor.TakeSymbol('.');
    select.name = cursor.TakeName();
    const bool call = cursor.AcceptSymbol('(') && cursor.AcceptSymbol(')');
    if (!(call ? Contains(kFunctions, select.name) : Contains(kBareFunctions, select.name))) {
      select.name.clear();
    }
  }
  return select;
}

}  // namespace

std::optional<Command> ParseSession(Cursor& cursor) {
  if (cursor.AtEnd()) return SessionStatement{};
  const auto* word = std::find_if(std::begin(kWords), std::end(kWords),
                                  [&](const SessionWord& w) { return cursor.IsKeyword(w.word); });
  if (word == std::end(kWords)) return std::nullopt;
  cursor.TakeName();
  switch (word->kind) {
    case Kind::kSet:
      return ParseSet(cursor);
    case Kind::kReset:
      return SessionStatement{Kind::kReset, cursor.TakeRest(), {}};
    case Kind::kSelect: {
      SessionStatement select = ParseSelect(cursor);
      if (select.name.empty() || !cursor.AtEnd()) {
        cursor.Fail(Refused("the admin database runs admin commands, not queries",
                            "HELP lists the commands. Queries belong to an ordinary database of "
                            "this proxy."));
      }
      return select;
    }
    default:
      cursor.TakeRest();
      return SessionStatement{word->kind, {}, {}};
  }
}

}  // namespace meridian
