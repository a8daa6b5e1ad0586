// A parser's place in the tokens of one statement. Pure.
//
// The first error sticks: after it every Accept is false and every Take gives an empty value, so
// that a parser reads like the grammar and asks for status() once, at its end.
#pragma once

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/admin/command.h"
#include "sharding/admin/lexer.h"

namespace meridian {

class Cursor {
 public:
  // `tokens`: one statement's, with the ';' or kEnd that ends it as the last. Both outlive the
  // cursor.
  Cursor(std::string_view text, absl::Span<const AdminToken> tokens);

  const AdminToken& Peek(size_t ahead = 0) const;
  bool AtEnd() const { return at_ + 1 >= tokens_.size(); }
  // Whether the next token is this keyword (in small letters), unquoted.
  bool IsKeyword(std::string_view keyword, size_t ahead = 0) const;

  bool IsSymbol(char symbol) const;
  bool AcceptKeyword(std::string_view keyword);
  bool AcceptSymbol(char symbol);
  void TakeKeyword(std::string_view keyword);
  void TakeSymbol(char symbol);
  // An identifier of at most 63 bytes (PostgreSQL: NAMEDATALEN).
  std::string TakeName();
  std::vector<std::string> TakeNames();  // comma-separated, at least one
  std::string TakeString();
  // A string, or a number with its sign.
  BoundLiteral TakeLiteral();
  uint64_t TakeUnsigned();
  TableName TakeTable();  // [schema.]name
  // Everything that is left, as written.
  std::string TakeRest();
  void TakeEnd();

  // The error "syntax error at or near" the next token.
  void FailHere();
  void Fail(absl::Status status);
  // With the position of a token added.
  void FailAt(int position, const absl::Status& status);
  int PositionHere() const;
  const absl::Status& status() const { return status_; }

 private:
  void Advance();

  const std::string_view text_;
  const absl::Span<const AdminToken> tokens_;
  size_t at_ = 0;
  absl::Status status_;
};

}  // namespace meridian
