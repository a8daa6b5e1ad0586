#include "router/plan/words.h"

#include <algorithm>

#include "router/lex/scanner.h"
#include "sharding/ascii.h"

namespace meridian {
namespace {

// The tokens of a part, with places in the whole text.
class PartScanner {
 public:
  PartScanner(const Planning& planning, TextRange range)
      : part_(planning.text.substr(range.begin, range.size())),
        begin_(range.begin),
        scanner_(part_, planning.context.standard_conforming_strings) {}

  bool Next(Token* token) {
    *token = scanner_.Next();
    if (token->kind == TokenKind::kEnd || token->kind == TokenKind::kError) return false;
    text_ = part_.substr(token->range.begin, token->range.size());
    token->range.begin += begin_;
    token->range.end += begin_;
    return true;
  }
  bool IsWord(const Token& token, std::string_view word) const {
    return token.kind == TokenKind::kWord &&
           std::equal(text_.begin(), text_.end(), word.begin(), word.end(),
                      [](char a, char b) { return AsciiLower(a) == b; });
  }
  bool Is(std::string_view symbol) const { return text_ == symbol; }

 private:
  std::string_view part_;
  uint32_t begin_;
  Scanner scanner_;
  std::string_view text_;
};

}  // namespace

TextRange TokenAt(const Planning& planning, TextRange range, size_t index) {
  PartScanner scanner(planning, range);
  Token token;
  while (scanner.Next(&token)) {
    if (index-- == 0) return token.range;
  }
  return {};
}

TextRange LastToken(const Planning& planning, TextRange range) {
  PartScanner scanner(planning, range);
  TextRange last;
  Token token;
  while (scanner.Next(&token)) last = token.range;
  return last;
}

TextRange BodyOfPrepare(const Planning& planning, TextRange range) {
  PartScanner scanner(planning, range);
  Token token;
  // PREPARE and the name, which may be any word.
  if (!scanner.Next(&token) || !scanner.Next(&token)) return {};
  while (scanner.Next(&token)) {
    if (scanner.IsWord(token, "as") && scanner.Next(&token)) return {token.range.begin, range.end};
  }
  return {};
}

TextRange BodyOfExplain(const Planning& planning, TextRange range, bool has_options) {
  PartScanner scanner(planning, range);
  Token token;
  if (!scanner.Next(&token) || !scanner.Next(&token)) return {};
  if (has_options && scanner.Is("(")) {
    int depth = 1;
    while (depth > 0 && scanner.Next(&token)) {
      if (scanner.Is("(")) ++depth;
      if (scanner.Is(")")) --depth;
    }
    if (!scanner.Next(&token)) return {};
  } else {
    while (scanner.IsWord(token, "analyze") || scanner.IsWord(token, "analyse") ||
           scanner.IsWord(token, "verbose")) {
      if (!scanner.Next(&token)) return {};
    }
  }
  return {token.range.begin, range.end};
}

}  // namespace meridian
