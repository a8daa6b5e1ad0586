#include "router/plan/owned_rows.h"

#include <fmt/format.h>

#include <algorithm>
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
      "Run it again when the move has ended (SHOW MOVES in the admin database), or set "
      "meridian.shard.");
}

// Columns of the table are named with more than one dot: public.orders.id, or by a schema's alias.
bool NamesSchemas(const Node& node) {
  if (node.Is(NodeKind::kColumnRef) && ColumnRefView(node).names().size() > 2) return true;
  bool found = false;
  node.ForEachChild([&](const Node& child) { found = found || NamesSchemas(child); });
  return found;
}

class Rewriter {
 public:
  Rewriter(const Query& query, const Planning& planning, ShardIndex shard)
      : query_(query), planning_(planning), shard_(shard) {
    Scanner scanner(planning.text, planning.context.standard_conforming_strings);
    for (Token token = scanner.Next();
         token.kind != TokenKind::kEnd && token.kind != TokenKind::kError; token = scanner.Next()) {
      tokens_.push_back(token);
    }
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
      last = FindWord("to", end) - 1;  // behind the ')'
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
                                  OwnedSql(reference, ""))});
    return Edited();
  }

  absl::StatusOr<std::string> Rewrite(const Node& statement) {
    for (size_t i = 0; i < query_.references.size(); ++i) {
      const TableReference& reference = query_.references[i];
      if (!reference.sharded() || !HasStrays(reference)) continue;
      absl::Status done = Check(statement, reference);
      if (done.ok()) done = IsWritten(i) ? RestrictTarget(statement, i) : RestrictRead(reference);
      if (!done.ok()) return done;
    }
    return Edited();
  }

 private:
  struct Edit {
    size_t begin = 0;
    size_t end = 0;
    std::string text;
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

  // True for all rows but the stray ones. `qualifier` stands before each column's name.
  std::string OwnedSql(const TableReference& reference, const std::string& qualifier) const {
    std::vector<std::string> columns;
    for (const std::string& column : reference.mapped->key_columns) {
      columns.push_back(qualifier + QuoteIdentifier(column));
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

  absl::Status Check(const Node& statement, const TableReference& reference) const {
    if (reference.in_view) return CannotLeaveOut(reference, "reads it through a view");
    if (reference.location < 0) return CannotLeaveOut(reference, "does not name it");
    if (query_.has_sample) return CannotLeaveOut(reference, "has TABLESAMPLE");
    if (query_.has_system_column) return CannotLeaveOut(reference, "names a system column");
    if (statement.Is(NodeKind::kMerge)) return CannotLeaveOut(reference, "is MERGE");
    if (!reference.aliased && NamesSchemas(statement)) {
      return CannotLeaveOut(reference, "names columns with their schema");
    }
    return absl::OkStatus();
  }

  // The tokens [first, end) of the name that begins at `location`.
  absl::StatusOr<std::pair<size_t, size_t>> NameAt(const TableReference& reference) const {
    const auto found = std::find_if(tokens_.begin(), tokens_.end(), [&](const Token& token) {
      return token.range.begin == static_cast<size_t>(reference.location);
    });
    if (found == tokens_.end()) return CannotLeaveOut(reference, "cannot be read");
    const auto first = static_cast<size_t>(found - tokens_.begin());
    size_t end = first + 1;
    while (end + 1 < tokens_.size() && TextOf(tokens_[end]) == ".") end += 2;
    // `t *` is an old way to say that children are meant, too.
    if (end < tokens_.size() && TextOf(tokens_[end]) == "*") {
      return CannotLeaveOut(reference, "has * behind its name");
    }
    return std::pair(first, end);
  }

  absl::Status RestrictRead(const TableReference& reference) {
    const auto name = NameAt(reference);
    if (!name.ok()) return name.status();
    const auto [first, end] = *name;
    size_t begin = tokens_[first].range.begin;
    const size_t stop = tokens_[end - 1].range.end;
    if (reference.only) {
      if (first == 0 || !IsWord(tokens_[first - 1], "only")) {
        return CannotLeaveOut(reference, "has ONLY ()");
      }
      begin = tokens_[first - 1].range.begin;
    }
    std::string owned =
        fmt::format("(SELECT * FROM {} WHERE {})", planning_.text.substr(begin, stop - begin),
                    OwnedSql(reference, ""));
    if (first > 0 && IsWord(tokens_[first - 1], "table")) {  // TABLE t: a query of its own
      begin = tokens_[first - 1].range.begin;
    } else if (!reference.aliased) {
      owned += fmt::format(" AS {}", TextOf(tokens_[end - 1]));
    }
    edits_.push_back({begin, stop, std::move(owned)});
    return absl::OkStatus();
  }

  // What stands in parentheses is passed over.
  size_t FindWord(std::string_view word, size_t from) const {
    int depth = 0;
    for (size_t i = from; i < tokens_.size(); ++i) {
      const std::string_view text = TextOf(tokens_[i]);
      if (tokens_[i].kind == TokenKind::kSymbol && (text == "(" || text == "[")) ++depth;
      if (tokens_[i].kind == TokenKind::kSymbol && (text == ")" || text == "]")) --depth;
      if (depth == 0 && IsWord(tokens_[i], word)) return i;
    }
    return tokens_.size();
  }

  absl::Status RestrictTarget(const Node& statement, size_t index) {
    const TableReference& reference = query_.references[index];
    if (statement.Is(NodeKind::kInsert) && query_.target == index) return absl::OkStatus();
    if (query_.target != index) return CannotLeaveOut(reference, "writes it in WITH");
    if (query_.current_of) return CannotLeaveOut(reference, "has WHERE CURRENT OF");
    const auto name = NameAt(reference);
    if (!name.ok()) return name.status();
    const auto [first, end] = *name;
    std::string qualifier(TextOf(tokens_[end - 1]));
    if (reference.aliased) {
      size_t alias = end;
      if (alias < tokens_.size() && IsWord(tokens_[alias], "as")) ++alias;
      if (alias >= tokens_.size()) return CannotLeaveOut(reference, "cannot be read");
      qualifier = TextOf(tokens_[alias]);
    }
    const std::string owned = OwnedSql(reference, qualifier + ".");
    const size_t returning = FindWord("returning", end);
    const size_t where = FindWord("where", end);
    const size_t last = tokens_[returning - 1].range.end;
    if (where >= returning) {
      edits_.push_back({last, last, " WHERE " + owned});
      return absl::OkStatus();
    }
    const size_t condition = tokens_[where].range.end;
    edits_.push_back({condition, condition, fmt::format(" {} AND (", owned)});
    edits_.push_back({last, last, ")"});
    return absl::OkStatus();
  }

  std::string Edited() {
    // Stable: what is inserted at the end of a table's name comes before what closes a condition.
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
    std::string text;
    size_t at = 0;
    for (const Edit& edit : edits_) {
      text.append(planning_.text.substr(at, edit.begin - at)).append(edit.text);
      at = edit.end;
    }
    return text.append(planning_.text.substr(at));
  }

  const Query& query_;
  const Planning& planning_;
  const ShardIndex shard_;
  std::vector<Token> tokens_;
  std::vector<Edit> edits_;
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
