#include "proxy/admin/explain_route.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "proxy/admin/table_rows.h"
#include "router/lex/scanner.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// A row of the table, apart from the statement's number.
struct RouteRow {
  std::string route;
  std::optional<std::string> shard = {};
  std::optional<std::string> text = {};
  std::string reason = {};
  std::string sqlstate = {};
  std::string hint = {};
};

bool HasParameters(std::string_view text, bool standard_conforming_strings) {
  Scanner scanner(text, standard_conforming_strings);
  for (Token token = scanner.Next();; token = scanner.Next()) {
    if (token.kind == TokenKind::kParameter) return true;
    if (token.kind == TokenKind::kEnd || token.kind == TokenKind::kError) return false;
  }
}

class Explainer {
 public:
  Explainer(Router& router, const SqlContext& context, std::string_view text)
      : router_(router), context_(context), text_(text) {}

  absl::StatusOr<AdminTable> Run() {
    router_.Analyze(text_, context_, {}, &analysis_);
    for (const Analysis::Part& part : analysis_.parts) {
      if (part.statement->is_syntax_error) {
        return SqlStatus(sqlstate::kSyntaxError, "syntax error in the statement to explain",
                         "Run it on a shard: PostgreSQL says where the error is.");
      }
      ++number_;
      Explain(part);
    }
    return std::move(table_);
  }

 private:
  void Explain(const Analysis::Part& part) {
    const std::string_view text = text_.substr(part.range.begin, part.range.size());
    if (HasParameters(text, context_.standard_conforming_strings)) {
      Add({.route = "by parameters",
           .shard = Names(router_.Candidates(*part.statement, {})),
           .text = std::string(text),
           .reason = "parameters have no values here; the shards are those that it may go to",
           .hint = "Write literals in their places."});
      return;
    }
    const Values values{text_, analysis_.LiteralsOf(part), {}};
    const std::string reason = Reason(*part.statement, values);
    const auto decision = router_.Decide(*part.statement, values, {});
    if (!decision.ok()) return Refuse(decision.status(), reason);
    const std::string route(RouteName(decision->route));
    if (decision->shards.empty()) {
      return Add({.route = route, .text = std::string(text), .reason = reason});
    }
    if (decision->route == Route::kMove) {
      const auto move = router_.FindKeyMove(*part.statement, values);
      if (!move.ok()) return Refuse(move.status(), reason);
    }
    if (decision->route != Route::kSplit) {
      decision->shards.ForEach(
          [&](ShardIndex shard) { AddShard(route, *decision, shard, text, reason); });
      return;
    }
    const auto inserts = Split(part, text);
    if (!inserts.ok()) return Refuse(inserts.status(), reason);
    for (const ShardInsert& insert : *inserts) {
      Add({.route = route,
           .shard = router_.map().shard(insert.shard).name,
           .text = insert.text,
           .reason = reason});
    }
  }

  void AddShard(const std::string& route, const Decision& decision, ShardIndex shard,
                std::string_view text, const std::string& reason) {
    std::string sent(text);
    if (decision.LeavesOutStrays() && router_.map().ShardsWithStrays().Contains(shard)) {
      auto owned = router_.OwnedText(text, context_, {}, shard);
      if (!owned.ok()) return Refuse(owned.status(), reason);
      sent = *std::move(owned);
    }
    Add({.route = route,
         .shard = router_.map().shard(shard).name,
         .text = std::move(sent),
         .reason = reason});
  }

  absl::StatusOr<std::vector<ShardInsert>> Split(const Analysis::Part& part,
                                                 std::string_view text) const {
    std::vector<Literal> literals;
    for (Literal literal : analysis_.LiteralsOf(part)) {
      literal.range.begin -= part.range.begin;
      literal.range.end -= part.range.begin;
      literals.push_back(literal);
    }
    return router_.SplitInsert(*part.statement, {text, literals, {}});
  }

  // The router's reasons without those lines that have columns of their own.
  std::string Reason(const Statement& statement, const Values& values) const {
    std::string reason;
    for (const std::string& line : router_.Explain(statement, values, {})) {
      if (line.starts_with("route: ") || line.starts_with("refused: ") ||
          line.starts_with("hint: ")) {
        continue;
      }
      reason += fmt::format("{}{}", reason.empty() ? "" : "\n", line);
    }
    return reason;
  }

  std::string Names(const ShardSet& shards) const {
    std::string names;
    shards.ForEach([&](ShardIndex shard) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", router_.map().shard(shard).name);
    });
    return names;
  }

  void Refuse(const absl::Status& status, const std::string& reason) {
    const SqlError error = ToSqlError(status);
    std::string why = error.message;
    if (!error.detail.empty()) why += "\n" + error.detail;
    if (!reason.empty()) why += "\n" + reason;
    Add({.route = "refused", .reason = why, .sqlstate = error.sqlstate, .hint = error.hint});
  }

  void Add(const RouteRow& row) {
    table_.rows.push_back({std::to_string(number_), row.route, row.shard, row.text,
                           TextOrNull(row.reason), TextOrNull(row.sqlstate), TextOrNull(row.hint)});
  }

  Router& router_;
  const SqlContext& context_;
  const std::string_view text_;
  Analysis analysis_;
  AdminTable table_{ExplainRouteColumns(), {}};
  int number_ = 0;
};

}  // namespace

std::vector<AdminColumn> ExplainRouteColumns() {
  return {{"statement", type_oid::kInt4},
          {"route"},
          {"shard"},
          {"text"},
          {"reason"},
          {"sqlstate"},
          {"hint"}};
}

absl::StatusOr<AdminTable> RouteTable(Router& router, const SqlContext& context,
                                      std::string_view text) {
  return Explainer(router, context, text).Run();
}

}  // namespace meridian
