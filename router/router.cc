#include "router/router.h"

#include <algorithm>

#include "router/copy/copy_spec.h"
#include "router/lex/scanner.h"
#include "router/lex/shape.h"
#include "router/parse/parse_tree.h"
#include "router/plan/decide.h"
#include "router/plan/insert.h"
#include "router/plan/plan.h"
#include "router/statement_cache.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// The parser always reads '...' as standard_conforming_strings = on does.
bool ParserReadsStringsAlike(std::string_view text, absl::Span<const Literal> literals,
                             const SqlContext& context) {
  if (context.standard_conforming_strings) return true;
  return std::none_of(literals.begin(), literals.end(), [&](const Literal& literal) {
    return literal.kind == LiteralKind::kString &&
           text.substr(literal.range.begin, literal.range.size()).find('\\') !=
               std::string_view::npos;
  });
}

// The text without white space, comments and ';' around it.
TextRange TrimByTokens(std::string_view text, uint32_t begin, uint32_t end,
                       bool standard_conforming_strings) {
  Scanner scanner(text.substr(begin, end - begin), standard_conforming_strings);
  TextRange range{begin, begin};
  bool first = true;
  for (Token token = scanner.Next(); token.kind != TokenKind::kEnd; token = scanner.Next()) {
    if (token.kind == TokenKind::kError) return {first ? begin : range.begin, end};
    if (token.kind == TokenKind::kSymbol && text[begin + token.range.begin] == ';') continue;
    if (first) range.begin = begin + token.range.begin;
    first = false;
    range.end = begin + token.range.end;
  }
  return range;
}

// The same for a text of one statement, on the hot path: without looking at tokens where its end
// shows that there is no comment. A comment in front stays.
TextRange TrimOne(std::string_view text, bool standard_conforming_strings) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  constexpr std::string_view kSpaceOrEnd = " \t\n\r\f\v;";
  const uint32_t size = static_cast<uint32_t>(text.size());
  const size_t begin = text.find_first_not_of(kSpace);
  const size_t last = text.find_last_not_of(kSpaceOrEnd);
  if (begin == std::string_view::npos || last == std::string_view::npos || last < begin) {
    return {0, size};
  }
  const size_t line = text.find_last_of("\n\r", last);
  const std::string_view last_line = text.substr(line == std::string_view::npos ? 0 : line);
  if (last_line.find("--") != std::string_view::npos || text[last] == '/') {
    return TrimByTokens(text, 0, size, standard_conforming_strings);
  }
  return {static_cast<uint32_t>(begin), static_cast<uint32_t>(last + 1)};
}

// The text with the insides of its string literals made harmless: no escapes, no bytes beyond
// ASCII. Nothing moves.
std::string HideStrings(std::string_view text, absl::Span<const Literal> literals,
                        const SqlContext& context) {
  std::string hidden(text);
  for (const Literal& literal : literals) {
    const bool escapes =
        literal.kind == LiteralKind::kEscapeString ||
        (literal.kind == LiteralKind::kString && !context.standard_conforming_strings);
    const bool is_unicode = literal.kind == LiteralKind::kUnicodeString;
    for (uint32_t i = literal.range.begin; i < literal.range.end; ++i) {
      char& c = hidden[i];
      if (c == '\\' && (escapes || is_unicode)) {
        c = 'x';
        if (escapes && i + 1 < literal.range.end) hidden[++i] = 'x';
      } else if (static_cast<unsigned char>(c) >= 0x80) {
        c = 'x';
      }
    }
  }
  return hidden;
}

absl::Span<const Literal> LiteralsIn(const std::vector<Literal>& literals, TextRange range,
                                     uint32_t* first) {
  const auto before = [](uint32_t at) {
    return [at](const Literal& literal) { return literal.range.begin < at; };
  };
  const auto begin = std::partition_point(literals.begin(), literals.end(), before(range.begin));
  const auto end = std::partition_point(begin, literals.end(), before(range.end));
  *first = static_cast<uint32_t>(begin - literals.begin());
  return absl::MakeConstSpan(literals).subspan(*first, end - begin);
}

}  // namespace

Router::Router(RouterLimits limits)
    : limits_(limits), cache_(std::make_unique<Cache>(limits.max_cached_statements)) {}
Router::~Router() = default;

void Router::Publish(std::shared_ptr<const ShardMap> map, std::shared_ptr<const Schema> schema) {
  cache_->Clear();
  map_ = std::move(map);
  schema_ = std::move(schema);
  ++generation_;
}

void Router::Analyze(std::string_view text, const SqlContext& context,
                     absl::Span<const Oid> parameter_types, Analysis* analysis) {
  analysis->parts.clear();
  analysis->literals.clear();
  analysis->shape.clear();
  const bool has_shape =
      MakeShape(text, context.standard_conforming_strings, &analysis->shape, &analysis->literals);
  const Cache::Key key{analysis->shape, context.id, parameter_types};
  if (has_shape) {
    if (const Ref<const Statement>* cached = cache_->Find(key)) {
      ++counters_.cache_hits;
      analysis->parts.push_back({TrimOne(text, context.standard_conforming_strings), *cached, 0,
                                 static_cast<uint32_t>(analysis->literals.size())});
      return;
    }
  } else {
    analysis->literals.clear();
    analysis->shape.clear();
  }
  ++counters_.cache_misses;
  AnalyzeAnew(text, context, parameter_types, analysis);
  if (has_shape && analysis->parts.size() == 1 && analysis->parts[0].statement->shared_by_shape) {
    cache_->Insert(key, analysis->parts[0].statement);
  }
}

void Router::AnalyzeAnew(std::string_view text, const SqlContext& context,
                         absl::Span<const Oid> parameter_types, Analysis* analysis) const {
  Planning planning{text, context, parameter_types, analysis->literals, *map_, *schema_, {}};
  std::optional<ParseTree> tree;
  bool is_syntax_error = false;
  // Without a shape the places of the strings are not known either.
  const bool strings_known = !analysis->shape.empty();
  const bool may_parse =
      text.size() <= limits_.max_parsed_text_bytes &&
      (strings_known || context.standard_conforming_strings || text.find('\\') == text.npos);
  if (may_parse && ParserReadsStringsAlike(text, analysis->literals, context)) {
    tree = ParseTree::Parse(std::string(text), &is_syntax_error);
  }
  // What stands in a string may be the reason. It is none to know less of the statement than of
  // others of its shape: the server will judge the string.
  bool strings_hidden = false;
  if (may_parse && strings_known && !tree.has_value() && !is_syntax_error) {
    strings_hidden = true;
    tree = ParseTree::Parse(HideStrings(text, analysis->literals, context), &is_syntax_error);
    is_syntax_error = false;
  }
  if (!tree.has_value()) {
    const TextRange range = TrimByTokens(text, 0, static_cast<uint32_t>(text.size()),
                                         context.standard_conforming_strings);
    if (range.size() == 0) return;
    analysis->parts.push_back(
        {range, PlanOpaque(text.substr(range.begin, range.size()), is_syntax_error, planning), 0,
         static_cast<uint32_t>(analysis->literals.size())});
    return;
  }
  for (const ParseTree::Part& part : tree->parts()) {
    Analysis::Part& planned = analysis->parts.emplace_back();
    planned.range = tree->parts().size() == 1 ? TrimOne(text, context.standard_conforming_strings)
                                              : TrimByTokens(text, part.begin, part.end,
                                                             context.standard_conforming_strings);
    planning.literals = LiteralsIn(analysis->literals, planned.range, &planned.first_literal);
    planned.literal_count = static_cast<uint32_t>(planning.literals.size());
    planning.depends_on_literals = planning.depends_on_text = false;
    planned.statement = PlanStatement(part.statement, planned.range, &planning);
    if (strings_hidden && !planned.statement->shared_by_shape) {
      planned.statement = PlanOpaque(text.substr(planned.range.begin, planned.range.size()),
                                     /*is_syntax_error=*/false, planning);
    }
  }
}

absl::StatusOr<Decision> Router::Decide(const Statement& statement, const Values& values,
                                        const RouteHints& hints) const {
  return RunProgram(*statement.route, *map_, values, hints);
}

absl::StatusOr<std::vector<ShardInsert>> Router::SplitInsert(const Statement& statement,
                                                             const Values& values) const {
  const RouteProgram& program = *statement.route;
  if (!program.insert.has_value()) return absl::InternalError("SplitInsert of another statement");
  auto shards = ShardsOfRows(*program.insert, program, *map_, values);
  if (!shards.ok()) return shards.status();
  if (!shards->has_value()) return absl::InternalError("SplitInsert of a value the server refuses");
  return CutInsert(*program.insert, **shards, values, program.standard_conforming_strings);
}

}  // namespace meridian
