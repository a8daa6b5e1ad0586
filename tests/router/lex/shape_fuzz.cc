// Texts of equal shape must parse to the same tree but for the values of their literals: each input
// is rewritten in ways that keep its shape (other literals, other space, other case), and
// libpg_query tells whether the trees agree.
#include <pg_query.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/lex/literal.h"
#include "router/lex/scanner.h"
#include "router/lex/shape.h"
#include "tests/fuzz/fuzz.h"
#include "tests/router/lex/seeds.h"

namespace meridian {
namespace {

[[noreturn]] void Fail(const std::string& why, std::string_view a, std::string_view b) {
  std::fprintf(stderr, "%s\n--- %.*s\n--- %.*s\n", why.c_str(), static_cast<int>(a.size()),
               a.data(), static_cast<int>(b.size()), b.data());
  std::abort();
}

std::optional<std::string> Shape(const std::string& text, std::vector<Literal>* literals) {
  std::string shape;
  if (!MakeShape(text, true, &shape, literals)) return std::nullopt;
  return shape;
}

// Another literal of the kind, with a value that is easy to find in a tree: `digit` makes two
// variants.
std::string Replacement(LiteralKind kind, std::string_view old, char digit) {
  const std::string number = std::string("99") + digit + "99";
  switch (kind) {
    case LiteralKind::kInteger:
      return old.size() < 10 ? number : std::string(old);
    case LiteralKind::kNumeric:
      return number + ".5";
    case LiteralKind::kString:
      return "'" + number + "'";
    case LiteralKind::kEscapeString:
      return "e'" + number + "'";
    case LiteralKind::kUnicodeString:
      return "u&'" + number + "'";
    case LiteralKind::kDollarString:
      return "$q$" + number + "$q$";
    case LiteralKind::kBitString:
      return std::string(old);
  }
  return std::string(old);
}

// The same tokens with other literals; `other_space` also changes what the shape folds. The number
// of float(n) belongs to the shape.
std::string Rewrite(const std::string& text, const std::vector<Literal>& literals, char digit,
                    bool other_space) {
  std::string rewritten;
  Scanner scanner(text, true);
  size_t next_literal = 0;
  std::vector<std::string> words(2);
  for (Token token = scanner.Next(); token.kind != TokenKind::kEnd; token = scanner.Next()) {
    std::string bytes = text.substr(token.range.begin, token.range.size());
    if (next_literal < literals.size() && token.range.begin == literals[next_literal].range.begin) {
      const Literal& literal = literals[next_literal++];
      const bool precision =
          words[1] == "(" && words[0].size() == 5 && (words[0][0] == 'f' || words[0][0] == 'F');
      if (!precision) bytes = Replacement(literal.kind, bytes, digit);
      if (token.range.end < literal.range.end) bytes += " uescape '!'";
      while (token.range.end < literal.range.end) token = scanner.Next();
    } else if (other_space && token.kind == TokenKind::kWord) {
      for (char& c : bytes) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      }
    }
    words = {words[1], bytes};
    rewritten += bytes;
    if (token.kind != TokenKind::kNational) rewritten += other_space ? "/* ' */\n--\n" : " ";
    // A newline between two strings would join them.
    if (other_space && LiteralKindOf(token.kind).has_value()) {
      rewritten.resize(rewritten.size() - 4);
    }
  }
  return rewritten;
}

void ReplaceAll(std::string* text, std::string_view from, std::string_view to) {
  for (size_t at = text->find(from); at != std::string::npos; at = text->find(from, at)) {
    text->replace(at, from.size(), to);
    at += to.size();
  }
}

// Locations and lengths of statements differ with the space.
void DropLocations(std::string* json) {
  for (const std::string_view name : {"location\":", "stmt_len\":"}) {
    for (size_t at = json->find(name); at != std::string::npos; at = json->find(name, at + 1)) {
      size_t end = at + name.size();
      while (end < json->size() && ((*json)[end] >= '0' && (*json)[end] <= '9')) ++end;
      json->erase(at + name.size(), end - at - name.size());
    }
  }
}

// nullopt: a syntax error.
std::optional<std::string> Tree(const std::string& text) {
  const PgQueryParseResult result = pg_query_parse(text.c_str());
  std::optional<std::string> tree;
  if (result.error == nullptr) {
    tree = result.parse_tree;
    DropLocations(&*tree);
  }
  pg_query_free_parse_result(result);
  return tree;
}

void CheckLiterals(const std::string& text, const std::vector<Literal>& literals) {
  std::string scratch;
  uint32_t end = 0;
  for (const Literal& literal : literals) {
    if (literal.range.begin < end || literal.range.end > text.size()) Fail("range", text, "");
    end = literal.range.end;
    DecodeLiteral(text, literal, true, &scratch);
  }
}

void Check(const std::string& text) {
  std::vector<Literal> literals;
  const auto shape = Shape(text, &literals);
  if (!shape.has_value() || text.find("999") != std::string::npos) return;
  CheckLiterals(text, literals);
  const std::string one = Rewrite(text, literals, '1', false);
  const std::string two = Rewrite(text, literals, '2', true);
  std::vector<Literal> scratch;
  for (const std::string& variant : {one, two}) {
    if (Shape(variant, &scratch) != shape) Fail("another shape", text, variant);
    if (scratch.size() != literals.size()) Fail("other literals", text, variant);
  }
  auto tree_one = Tree(one);
  auto tree_two = Tree(two);
  if (tree_one.has_value() != tree_two.has_value()) Fail("one is an error", one, two);
  if (!tree_one.has_value()) return;
  ReplaceAll(&*tree_one, "99199", "99299");
  if (*tree_one != *tree_two) Fail("other trees: " + *tree_one + "\n" + *tree_two, one, two);
}

}  // namespace
}  // namespace meridian

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::string shape;
  std::vector<meridian::Literal> literals;
  std::string scratch;
  if (meridian::MakeShape(text, false, &shape, &literals)) {
    for (const meridian::Literal& literal : literals) {
      meridian::DecodeLiteral(text, literal, false, &scratch);
    }
  }
  if (text.find('\0') == std::string::npos) meridian::Check(text);
  return 0;
}

std::vector<std::string> FuzzSeeds() { return meridian::LexSeeds(); }
