#include "router/plan/do_block.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "router/lex/scanner.h"
#include "router/plan/functions.h"
#include "sharding/ascii.h"

namespace meridian {
namespace {

// Words that name no object (PostgreSQL: src/pl/plpgsql/src/pl_*_kwlist.h, and those of simple
// expressions).
constexpr std::string_view kWords[] = {
    "and",      "assert", "begin",  "case",      "continue", "debug",  "else",    "elseif",
    "elsif",    "end",    "exit",   "exception", "false",    "hint",   "if",      "in",
    "info",     "is",     "log",    "loop",      "message",  "not",    "notice",  "null",
    "or",       "others", "detail", "perform",   "raise",    "return", "reverse", "sqlerrm",
    "sqlstate", "then",   "true",   "using",     "warning",  "when",   "while",   "errcode"};

std::string Lower(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) c = AsciiLower(c);
  return lower;
}

class BlockReader {
 public:
  BlockReader(std::string_view body, const Planning& planning)
      : body_(body),
        planning_(planning),
        scanner_(body, planning.context.standard_conforming_strings) {}

  DoBlock Read() {
    DoBlock block;
    for (Advance(); token_.kind != TokenKind::kEnd; Advance()) {
      if (token_.kind == TokenKind::kError) return {};
      if (token_.kind == TokenKind::kWord) {
        if (Lower(Text()) == "set") {
          block.sets = true;
          if (!ReadSet()) return {};
        } else if (!IsHarmlessWord()) {
          return {};
        }
      } else if (!IsHarmlessToken()) {
        return {};
      }
    }
    block.harmless = true;
    return block;
  }

 private:
  void Advance() {
    token_ = scanner_.Next();
    Scanner ahead = scanner_;
    next_ = ahead.Next();
  }
  std::string_view Text() const { return body_.substr(token_.range.begin, token_.range.size()); }
  bool NextIs(std::string_view symbol) const {
    return body_.substr(next_.range.begin, next_.range.size()) == symbol;
  }

  // SET [LOCAL] name {=|TO} value ... ; leaves the `;` as the token.
  bool ReadSet() {
    Advance();
    if (Lower(Text()) == "local") Advance();
    const std::string name = Lower(Text());
    if (token_.kind != TokenKind::kWord || IsRoutingSetting(name)) return false;
    // SET ROLE x, SET TRANSACTION ..., SET a.b = ...: not of this form.
    if (!NextIs("=") && next_.kind != TokenKind::kWord) return false;
    Advance();
    if (Text() != "=" && Lower(Text()) != "to") return false;
    while (token_.kind != TokenKind::kEnd && Text() != ";") {
      if (token_.kind == TokenKind::kError) return false;
      Advance();
    }
    return true;
  }

  bool IsHarmlessWord() const {
    const std::string word = Lower(Text());
    if (std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords)) return true;
    if (!NextIs("(")) return false;
    switch (ClassifyFunction({word}, planning_.schema, planning_.context.search_path)) {
      case FunctionClass::kImmutable:
      case FunctionClass::kStable:
      case FunctionClass::kTime:
      case FunctionClass::kVolatile:
        return true;
      default:
        return false;
    }
  }

  bool IsHarmlessToken() const {
    if (token_.kind == TokenKind::kSymbol) return Text() != ".";
    // A user's operator is a function call.
    if (token_.kind == TokenKind::kOperator) {
      return !planning_.schema.HasUserFunction(Text()) &&
             CatalogComesFirst(planning_.context.search_path);
    }
    return LiteralKindOf(token_.kind).has_value();
  }

  const std::string_view body_;
  const Planning& planning_;
  Scanner scanner_;
  Token token_;
  Token next_;
};

}  // namespace

DoBlock ReadDoBlock(std::string_view body, const Planning& planning) {
  return BlockReader(body, planning).Read();
}

bool IsTransactionSetting(std::string_view name) {
  for (const std::string_view setting :
       {"transaction_isolation", "transaction_read_only", "transaction_deferrable"}) {
    if (EqualsIgnoreCase(name, setting)) return true;
  }
  return false;
}

bool IsRoutingSetting(std::string_view name) {
  if (IsTransactionSetting(name)) return true;
  constexpr std::string_view kOwn = "meridian.";
  if (EqualsIgnoreCase(name.substr(0, kOwn.size()), kOwn)) return true;
  for (const std::string_view setting :
       {"search_path", "role", "session_authorization", "standard_conforming_strings",
        "client_encoding", "backslash_quote"}) {
    if (EqualsIgnoreCase(name, setting)) return true;
  }
  return false;
}

}  // namespace meridian
