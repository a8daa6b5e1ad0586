#include "sharding/admin/parser.h"

#include <fmt/format.h>

#include "sharding/admin/syntax.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// How many tokens the command's name takes; 0: the statement is another command.
size_t MatchName(const Cursor& cursor, std::string_view name) {
  size_t words = 0;
  while (!name.empty()) {
    const size_t length = std::min(name.find(' '), name.size());
    const AdminToken& token = cursor.Peek(words++);
    std::string word(name.substr(0, length));
    for (char& c : word) c = AsciiLower(c);
    if (token.kind != AdminToken::Kind::kName || token.value != word) return 0;
    name.remove_prefix(std::min(length + 1, name.size()));
  }
  return words;
}

absl::Status WithHint(const absl::Status& status, const CommandSyntax& syntax) {
  SqlError error = ToSqlError(status);
  if (error.sqlstate == sqlstate::kSyntaxError && error.hint.empty()) {
    error.hint = fmt::format("Syntax: {}", syntax.syntax);
  }
  return ToStatus(error);
}

// The commands that start with the same word, as far as there are any.
std::string HintFor(const Cursor& cursor) {
  std::string alike;
  for (const CommandSyntax& syntax : CommandTable()) {
    const std::string_view first = syntax.name.substr(0, syntax.name.find(' '));
    if (MatchName(cursor, first) > 0) {
      alike += fmt::format("{}{}", alike.empty() ? "" : ", ", syntax.name);
    }
  }
  return alike.empty() ? "HELP lists the commands." : fmt::format("There is {}.", alike);
}

absl::StatusOr<Command> ParseStatement(Cursor cursor) {
  for (const CommandSyntax& syntax : CommandTable()) {
    const size_t words = MatchName(cursor, syntax.name);
    if (words == 0) continue;
    for (size_t i = 0; i < words; ++i) cursor.TakeName();
    Command command = syntax.parse(cursor);
    cursor.TakeEnd();
    if (cursor.status().ok()) return command;
    return WithHint(cursor.status(), syntax);
  }
  const Cursor start = cursor;
  if (auto session = ParseSession(cursor)) {
    cursor.TakeEnd();
    if (!cursor.status().ok()) return cursor.status();
    return *std::move(session);
  }
  SqlError error;
  // The word that no command has at this place: the second, where commands share the first.
  const std::string hint = HintFor(start);
  if (!hint.starts_with("HELP")) cursor.TakeName();
  cursor.FailHere();
  error = ToSqlError(cursor.status());
  error.hint = hint;
  return ToStatus(error);
}

absl::Status TooMuch(std::string message) {
  return SqlStatus(sqlstate::kProgramLimitExceeded, std::move(message),
                   "Send the commands in several texts.");
}

bool IsSemicolon(const AdminToken& token) {
  return token.kind == AdminToken::Kind::kSymbol && token.value == ";";
}

}  // namespace

absl::StatusOr<std::vector<AdminStatement>> ParseAdmin(std::string_view text) {
  if (text.size() > kMaxAdminTextBytes) {
    return TooMuch(fmt::format("the text is longer than {} bytes", kMaxAdminTextBytes));
  }
  auto tokens = LexAdmin(text);
  if (!tokens.ok()) return tokens.status();
  std::vector<AdminStatement> statements;
  for (size_t begin = 0; begin < tokens->size();) {
    size_t end = begin;
    while (!IsSemicolon((*tokens)[end]) && (*tokens)[end].kind != AdminToken::Kind::kEnd) ++end;
    if (end > begin) {
      const absl::Span<const AdminToken> part(&(*tokens)[begin], end - begin + 1);
      auto command = ParseStatement(Cursor(text, part));
      if (!command.ok()) return command.status();
      if (statements.size() == kMaxAdminStatements) {
        return TooMuch(fmt::format("the text has more than {} statements", kMaxAdminStatements));
      }
      const size_t first = part.front().begin;
      statements.push_back({*std::move(command),
                            std::string(text.substr(first, part[part.size() - 2].end - first))});
    }
    begin = end + 1;
  }
  return statements;
}

}  // namespace meridian
