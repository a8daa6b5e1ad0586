// SHOW, of Meridian's subjects and of PostgreSQL's parameters, and HELP.
#include "sharding/admin/syntax.h"

namespace meridian {
namespace {

std::string Capitals(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return text;
}

std::optional<ShowSubject> AcceptSubject(Cursor& cursor) {
  if (cursor.IsKeyword("key") && cursor.IsKeyword("ranges", 1)) {
    cursor.TakeName();
    cursor.TakeName();
    return ShowSubject::kKeyRanges;
  }
  if (cursor.AcceptKeyword("move")) {
    return cursor.AcceptKeyword("history") ? ShowSubject::kMoveHistory : ShowSubject::kMoves;
  }
  if (cursor.Peek().kind != AdminToken::Kind::kName) return std::nullopt;
  const std::string name = Capitals(cursor.Peek().value);
  for (const SubjectName& subject : ShowSubjects()) {
    if (subject.name == name) {
      cursor.TakeName();
      return subject.subject;
    }
  }
  return std::nullopt;
}

ShowFilter TakeFilter(Cursor& cursor) {
  ShowFilter filter{{}, {}, cursor.PositionHere()};
  filter.column = cursor.TakeName();
  cursor.TakeSymbol('=');
  if (cursor.IsKeyword("true") || cursor.IsKeyword("false")) {
    filter.value = cursor.TakeName();
  } else {
    filter.value = cursor.TakeLiteral().text;
  }
  return filter;
}

// The spellings of parameters that have several words (PostgreSQL documentation, SHOW).
std::string TakeParameter(Cursor& cursor) {
  if (cursor.AcceptKeyword("transaction")) {
    cursor.TakeKeyword("isolation");
    cursor.TakeKeyword("level");
    return "transaction_isolation";
  }
  if (cursor.IsKeyword("time") && cursor.IsKeyword("zone", 1)) {
    cursor.TakeName();
    cursor.TakeName();
    return "timezone";
  }
  if (cursor.IsKeyword("session") && cursor.IsKeyword("authorization", 1)) {
    cursor.TakeName();
    cursor.TakeName();
    return "session_authorization";
  }
  std::string name = cursor.TakeName();
  while (cursor.AcceptSymbol('.')) name += '.' + cursor.TakeName();
  return name;
}

}  // namespace

Command ParseShow(Cursor& cursor) {
  const bool one_move = cursor.IsKeyword("move") && !cursor.IsKeyword("history", 1);
  const auto subject = AcceptSubject(cursor);
  if (!subject) {
    return SessionStatement{SessionStatement::Kind::kShowParameter, TakeParameter(cursor), {}};
  }
  Show show{*subject, {}};
  if (one_move) show.move = cursor.TakeUnsigned();
  if (cursor.AcceptKeyword("where")) {
    do {
      show.filters.push_back(TakeFilter(cursor));
    } while (cursor.AcceptKeyword("and"));
  }
  return show;
}

Command ParseHelp(Cursor& cursor) {
  Help help;
  while (!cursor.AtEnd() && cursor.status().ok()) {
    help.command += (help.command.empty() ? "" : " ") + Capitals(cursor.TakeName());
  }
  return help;
}

}  // namespace meridian
