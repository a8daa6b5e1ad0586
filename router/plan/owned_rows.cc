#include "router/plan/owned_rows.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "router/lex/scanner.h"
#include "router/parse/views.h"
#include "router/plan/query.h"
#include "sharding/ascii.h"
#include "sharding/range_sql.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

absl::Status CannotLeaveOut(const TableReference& reference, std::string_view why) {
  return SqlStatus(
      sqlstate::kObjectInUse,
      fmt::format("rows of table {} are being moved between shards, and the statement {}",
                  reference.table.ToString(), why),
      "Run it again when the move has ended.");
}

class Rewriter {
 public:
  Rewriter(const Query& query, const Planning& planning, ShardIndex shard)
      : query_(query), planning_(planning), shard_(shard) {
    Scanner scanner(planning.text, planning.context.standard_conforming_strings);
    Token token = scanner.Next();
    for (; token.kind != TokenKind::kEnd && token.kind != TokenKind::kError;
         token = scanner.Next()) {
      tokens_.push_back(token);
    }
    readable_ = token.kind == TokenKind::kEnd;
    while (!tokens_.empty() && TextOf(tokens_.back()) == ";") tokens_.pop_back();
  }

  // COPY t (columns) TO becomes COPY (SELECT columns FROM t WHERE ...) TO.
  absl::StatusOr<std::string> RewriteCopy(const CopyView& copy) {
    const TableReference& reference = query_.references[0];
    if (!reference.sharded() || !HasStrays(reference)) return std::string(planning_.text);
    const auto name = NameAt(reference);
    if (!name.ok()) return name.status();
    const auto [first, end] = *name;
    std::vector<std::string> columns;
    size_t last = end - 1;
    if (!copy.columns().empty()) {
      while (TextOf(tokens_[last]) != ")") ++last;  // of the list
      for (const std::string_view column : Names(copy.columns())) {
        columns.push_back(QuoteIdentifier(column));
      }
    } else if (reference.relation != nullptr) {
      for (const Column& column : reference.relation->columns) {
        if (!column.generated) columns.push_back(QuoteIdentifier(column.name));
      }
    }
    if (columns.empty()) return CannotLeaveOut(reference, "does not say which columns it has");
    const size_t begin = tokens_[first].range.begin;
    edits_.push_back({begin, tokens_[last].range.end,
                      fmt::format("(SELECT {} FROM {} WHERE {})", fmt::join(columns, ", "),
                                  planning_.text.substr(begin, tokens_[end - 1].range.end - begin),
                                  OwnedSql(reference, "", false))});
    return Edited();
  }

  absl::StatusOr<std::string> Rewrite(const Node& statement) {
    for (size_t i = 0; i < query_.references.size(); ++i) {
      const TableReference& reference = query_.references[i];
      if (!reference.sharded() || !HasStrays(reference)) continue;
      if (statement.Is(NodeKind::kInsert) && query_.target == i) continue;
      absl::Status done = Check(statement, i);
      if (done.ok()) done = Restrict(i);
      if (!done.ok()) return done;
    }
    for (const auto& [at, block] : blocks_) {
      const std::string owned = fmt::format("{}", fmt::join(block.conditions, " AND "));
      edits_.push_back(
          {at, at, block.has_where ? fmt::format(" {} AND (", owned) : " WHERE " + owned});
      if (block.has_where) edits_.push_back({block.end, block.end, ")"});
    }
    return Edited();
  }

 private:
  struct Edit {
    size_t begin = 0;
    size_t end = 0;
    std::string text;
  };
  // The WHERE of one level of the statement.
  struct Block {
    bool has_where = false;
    size_t end = 0;  // of its condition
    std::vector<std::string> conditions;
  };

  std::string_view TextOf(const Token& token) const {
    return planning_.text.substr(token.range.begin, token.range.size());
  }
  bool IsWord(const Token& token, std::string_view word) const {
    return token.kind == TokenKind::kWord && EqualsIgnoreCase(TextOf(token), word);
  }
  bool IsWritten(size_t reference) const {
    return std::find(query_.written.begin(), query_.written.end(), reference) !=
           query_.written.end();
  }

  bool HasStrays(const TableReference& reference) const {
    const auto& strays = planning_.map.strays();
    return std::any_of(strays.begin(), strays.end(), [&](const StrayRows& rows) {
      return rows.shard == shard_ && rows.distribution == reference.mapped->distribution;
    });
  }

  // True for all rows but the stray ones. `qualifier` stands before each column's name; `renamed`:
  // it is an alias that may rename columns.
  std::string OwnedSql(const TableReference& reference, const std::string& qualifier,
                       bool renamed) const {
    std::vector<std::string> columns;
    for (const std::string& column : reference.mapped->key_columns) {
      const auto& real = reference.real_columns;
      const size_t place = std::find(real.begin(), real.end(), column) - real.begin();
      const bool known = renamed && place < real.size();
      columns.push_back(qualifier + QuoteIdentifier(known ? reference.columns[place] : column));
    }
    const Distribution& distribution =
        planning_.map.distributions()[reference.mapped->distribution];
    std::vector<std::string> strays;
    for (const StrayRows& rows : planning_.map.strays()) {
      if (rows.shard != shard_ || rows.distribution != reference.mapped->distribution) continue;
      strays.push_back(StraySql(distribution, rows, columns));
    }
    return OutsideSql(fmt::format("({})", fmt::join(strays, " OR ")));
  }

  absl::Status Check(const Node& statement, size_t index) const {
    const TableReference& reference = query_.references[index];
    if (reference.in_view) return CannotLeaveOut(reference, "reads it through a view");
    if (reference.location < 0) return CannotLeaveOut(reference, "does not name it");
    if (reference.nullable) return CannotLeaveOut(reference, "has an outer join");
    if (reference.renamed_unknown) return CannotLeaveOut(reference, "renames its columns");
    if (statement.Is(NodeKind::kMerge)) return CannotLeaveOut(reference, "is MERGE");
    if (!IsWritten(index)) return absl::OkStatus();
    if (query_.target != index) return CannotLeaveOut(reference, "writes it in WITH");
    if (query_.current_of) return CannotLeaveOut(reference, "has WHERE CURRENT OF");
    return absl::OkStatus();
  }

  // The tokens [first, end) of the name that begins at `location`.
  absl::StatusOr<std::pair<size_t, size_t>> NameAt(const TableReference& reference) const {
    const auto found = std::find_if(tokens_.begin(), tokens_.end(), [&](const Token& token) {
      return token.range.begin == static_cast<size_t>(reference.location);
    });
    if (!readable_ || found == tokens_.end()) return CannotLeaveOut(reference, "cannot be read");
    const auto first = static_cast<size_t>(found - tokens_.begin());
    size_t end = first + 1;
    while (end + 1 < tokens_.size() && TextOf(tokens_[end]) == ".") end += 2;
    return std::pair(first, end);
  }

  // Where the level of the name at token `from`, which is in `depth` parentheses there, ends, or
  // its WHERE condition where there is one: the token behind it. What stands in parentheses is
  // passed over.
  size_t EndOfLevel(size_t from, int depth, std::optional<size_t>* where) const {
    constexpr std::string_view kBehindWhere[] = {"returning", "for",   "group",     "having",
                                                 "window",    "order", "limit",     "offset",
                                                 "fetch",     "union", "intersect", "except"};
    for (size_t i = from; i < tokens_.size(); ++i) {
      const std::string_view text = TextOf(tokens_[i]);
      const bool symbol = tokens_[i].kind == TokenKind::kSymbol;
      if (symbol && (text == "(" || text == "[")) ++depth;
      if (symbol && (text == ")" || text == "]") && --depth < 0) return i;
      if (depth > 0 || tokens_[i].kind != TokenKind::kWord) continue;
      if (TextOf(tokens_[i - 1]) == ".") continue;  // a column: t.order
      if (IsWord(tokens_[i], "where")) *where = i;
      for (const std::string_view word : kBehindWhere) {
        if (IsWord(tokens_[i], word)) return i;
      }
    }
    return tokens_.size();
  }

  // The parentheses around the name within its level: of joins, and of ONLY. nullopt: those of a
  // statement that is no plain query.
  std::optional<int> ParenthesesOf(size_t name) const {
    constexpr std::string_view kOthers[] = {"with",   "values", "insert",
                                            "update", "delete", "merge"};
    int plain = 0;
    int depth = 0;
    for (size_t i = name; i > 0; --i) {
      const std::string_view text = TextOf(tokens_[i - 1]);
      if (tokens_[i - 1].kind != TokenKind::kSymbol) continue;
      if (text == ")" || text == "]") ++depth;
      if ((text != "(" && text != "[") || --depth >= 0) continue;
      depth = 0;
      if (IsWord(tokens_[i], "select") || IsWord(tokens_[i], "table")) break;
      for (const std::string_view word : kOthers) {
        if (IsWord(tokens_[i], word)) return std::nullopt;
      }
      ++plain;
    }
    return plain;
  }

  // Whether a join with an alias is around it: its columns go by that name alone.
  bool IsHidden(size_t reference) const {
    for (const auto& level : query_.levels) {
      for (const Level::Entry& entry : level->entries) {
        if (entry.reference == reference && entry.hidden) return true;
      }
    }
    return false;
  }

  absl::Status Restrict(size_t index) {
    const TableReference& reference = query_.references[index];
    const auto name = NameAt(reference);
    if (!name.ok()) return name.status();
    const auto [first, end] = *name;
    const std::optional<int> parentheses = ParenthesesOf(first);
    if (!parentheses) return CannotLeaveOut(reference, "has it in a query of its own");
    if (IsHidden(index)) return CannotLeaveOut(reference, "has a join with an alias around it");
    const auto [relation, behind] = WithOnly(first, end);
    if (relation > 0 && IsWord(tokens_[relation - 1], "table")) {
      RestrictTable(reference, relation, behind);
      return absl::OkStatus();
    }
    // With its schema, where that is written: t may be in several.
    const size_t begin = tokens_[first].range.begin;
    std::string qualifier(planning_.text.substr(begin, tokens_[end - 1].range.end - begin));
    if (reference.aliased) {
      size_t alias = behind;
      if (alias < tokens_.size() && IsWord(tokens_[alias], "as")) ++alias;
      if (alias >= tokens_.size()) return CannotLeaveOut(reference, "cannot be read");
      qualifier = TextOf(tokens_[alias]);
    }
    std::optional<size_t> where;
    const size_t last = tokens_[EndOfLevel(end, *parentheses, &where) - 1].range.end;
    Block& block = blocks_[where ? tokens_[*where].range.end : last];
    block.has_where = where.has_value();
    block.end = last;
    block.conditions.push_back(OwnedSql(reference, qualifier + ".", reference.aliased));
    return absl::OkStatus();
  }

  // The tokens of the name [first, end) with what says whether its children are meant: ONLY t,
  // ONLY (t), t *.
  std::pair<size_t, size_t> WithOnly(size_t first, size_t end) const {
    const auto is = [&](size_t token, std::string_view symbol) {
      return token < tokens_.size() && TextOf(tokens_[token]) == symbol;
    };
    const size_t open = first > 0 && is(first - 1, "(") ? 1 : 0;
    if (first > open && IsWord(tokens_[first - 1 - open], "only")) {
      return {first - 1 - open, end + open};
    }
    return {first, is(end, "*") ? end + 1 : end};
  }

  // TABLE t is SELECT * FROM t. `first` and `end` as WithOnly gives them.
  void RestrictTable(const TableReference& reference, size_t first, size_t end) {
    const size_t begin = tokens_[first].range.begin;
    const size_t stop = tokens_[end - 1].range.end;
    edits_.push_back(
        {tokens_[first - 1].range.begin, stop,
         fmt::format("SELECT * FROM {} WHERE {}", planning_.text.substr(begin, stop - begin),
                     OwnedSql(reference, "", false))});
  }

  std::string Edited() {
    // Stable: the condition of a level comes before what closes it.
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
    std::string text;
    size_t at = 0;
    for (const Edit& edit : edits_) {
      text.append(planning_.text.substr(at, edit.begin - at)).append(edit.text);
      at = edit.end;
      // A word may have stood right behind a symbol: x = 'y'RETURNING x.
      if (at < planning_.text.size() && absl::ascii_isalpha(planning_.text[at])) text += ' ';
    }
    return text.append(planning_.text.substr(at));
  }

  const Query& query_;
  const Planning& planning_;
  const ShardIndex shard_;
  std::vector<Token> tokens_;
  bool readable_ = false;  // the tokens are all there are
  std::vector<Edit> edits_;
  std::map<size_t, Block> blocks_;  // by where their conditions are put
};

}  // namespace

absl::StatusOr<std::string> LeaveOutStrays(const Node& statement, Planning* planning,
                                           ShardIndex shard) {
  const Query query = ReadQuery(statement, planning);
  Rewriter rewriter(query, *planning, shard);
  if (statement.Is(NodeKind::kCopy) && !CopyView(statement).query()) {
    return rewriter.RewriteCopy(CopyView(statement));
  }
  return rewriter.Rewrite(statement);
}

}  // namespace meridian
