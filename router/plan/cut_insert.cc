#include <map>

#include <fmt/format.h>
#include "router/lex/scanner.h"
#include "router/plan/decide.h"
#include "router/plan/insert.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

bool IsValuesWord(const Token& token, std::string_view text) {
  if (token.kind != TokenKind::kWord) return false;
  const std::string_view word = text.substr(token.range.begin, token.range.size());
  constexpr std::string_view kValues = "values";
  if (word.size() != kValues.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (AsciiLower(word[i]) != kValues[i]) return false;
  }
  return true;
}

// Follows parentheses.
class DepthScanner {
 public:
  DepthScanner(std::string_view text, bool standard_conforming_strings)
      : text_(text), scanner_(text, standard_conforming_strings) {}
  Token Next() {
    const Token token = scanner_.Next();
    if (token.kind == TokenKind::kSymbol) {
      const char c = text_[token.range.begin];
      if (c == '(' || c == '[') ++depth_;
      if (c == ')' || c == ']') --depth_;
    }
    return token;
  }
  // Behind the last token.
  int depth() const { return depth_; }
  bool Is(const Token& token, char symbol) const {
    return token.kind == TokenKind::kSymbol && text_[token.range.begin] == symbol;
  }

 private:
  std::string_view text_;
  Scanner scanner_;
  int depth_ = 0;
};

struct InsertText {
  uint32_t rows_begin = 0;  // behind VALUES
  uint32_t rows_end = 0;
  std::vector<TextRange> rows;  // with their parentheses
};

bool FindRows(std::string_view text, size_t values_word, bool standard_conforming_strings,
              InsertText* found) {
  DepthScanner scanner(text, standard_conforming_strings);
  Token token = scanner.Next();
  for (;; token = scanner.Next()) {
    if (token.kind == TokenKind::kEnd || token.kind == TokenKind::kError) return false;
    if (IsValuesWord(token, text) && values_word-- == 0) break;
  }
  const int depth = scanner.depth();  // INSERT INTO t (VALUES ...)
  found->rows_begin = token.range.end;
  do {
    token = scanner.Next();
    if (!scanner.Is(token, '(')) return false;
    const uint32_t begin = token.range.begin;
    while (scanner.depth() > depth) {
      token = scanner.Next();
      if (token.kind == TokenKind::kEnd || token.kind == TokenKind::kError) return false;
    }
    found->rows.push_back({begin, token.range.end});
    found->rows_end = token.range.end;
    token = scanner.Next();
  } while (scanner.Is(token, ','));
  return true;
}

// Appends parts of a text, numbering its parameters anew.
class Renumberer {
 public:
  Renumberer(std::string_view text, bool standard_conforming_strings, ShardInsert* out)
      : text_(text), standard_conforming_strings_(standard_conforming_strings), out_(*out) {}

  void Append(TextRange range) {
    const std::string_view part = text_.substr(range.begin, range.size());
    Scanner scanner(part, standard_conforming_strings_);
    uint32_t copied = 0;
    for (Token token = scanner.Next();
         token.kind != TokenKind::kEnd && token.kind != TokenKind::kError; token = scanner.Next()) {
      if (token.kind != TokenKind::kParameter) continue;
      out_.text += part.substr(copied, token.range.begin - copied);
      out_.text +=
          fmt::format("${}", NumberOf(part.substr(token.range.begin + 1, token.range.size() - 1)));
      copied = token.range.end;
    }
    out_.text += part.substr(copied);
  }

 private:
  size_t NumberOf(std::string_view digits) {
    uint32_t number = 0;
    for (const char c : digits) number = number * 10 + static_cast<uint32_t>(c - '0');
    const auto [at, is_new] = numbers_.try_emplace(number, out_.parameters.size() + 1);
    if (is_new) out_.parameters.push_back(static_cast<uint16_t>(number - 1));
    return at->second;
  }

  std::string_view text_;
  const bool standard_conforming_strings_;
  ShardInsert& out_;
  std::map<uint32_t, size_t> numbers_;
};

}  // namespace

size_t ValuesWordBefore(std::string_view text, int64_t location, bool standard_conforming_strings) {
  Scanner scanner(text, standard_conforming_strings);
  size_t count = 0;
  for (Token token = scanner.Next();
       token.kind != TokenKind::kEnd && token.kind != TokenKind::kError &&
       token.range.begin < location;
       token = scanner.Next()) {
    if (IsValuesWord(token, text)) ++count;
  }
  return count == 0 ? 0 : count - 1;
}

absl::StatusOr<std::vector<ShardInsert>> CutInsert(const InsertRows& insert,
                                                   const std::vector<ShardIndex>& shards,
                                                   const Values& values,
                                                   bool standard_conforming_strings) {
  InsertText cut;
  if (!FindRows(values.text, insert.values_word, standard_conforming_strings, &cut) ||
      cut.rows.size() != shards.size()) {
    return Refused("cannot cut this INSERT into the rows of each shard",
                   "Insert the rows of each shard in a statement of its own.");
  }
  std::map<ShardIndex, std::vector<uint32_t>> rows_by_shard;
  for (uint32_t row = 0; row < shards.size(); ++row) rows_by_shard[shards[row]].push_back(row);
  std::vector<ShardInsert> inserts;
  for (const auto& [shard, rows] : rows_by_shard) {
    ShardInsert& part = inserts.emplace_back();
    part.shard = shard;
    part.rows = rows;
    Renumberer renumberer(values.text, standard_conforming_strings, &part);
    renumberer.Append({0, cut.rows_begin});
    for (size_t i = 0; i < rows.size(); ++i) {
      part.text += i == 0 ? " " : ", ";
      renumberer.Append(cut.rows[rows[i]]);
    }
    renumberer.Append({cut.rows_end, static_cast<uint32_t>(values.text.size())});
  }
  return inserts;
}

}  // namespace meridian
