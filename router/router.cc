#include "router/router.h"

#include <algorithm>

#include "router/copy/copy_spec.h"
#include "router/lex/scanner.h"
#include "router/lex/shape.h"
#include "router/parse/parse_tree.h"
#include "router/plan/decide.h"
#include "router/plan/insert.h"
#include "router/plan/move_rows.h"
#include "router/plan/owned_rows.h"
#include "router/plan/plan.h"
#include "router/plan/used_key.h"
#include "router/statement_cache.h"
#include "sharding/ascii.h"
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
TextRange TrimByTokens(std::string_view text, size_t begin, size_t end,
                       bool standard_conforming_strings) {
  Scanner scanner(text.substr(begin, end - begin), standard_conforming_strings);
  TextRange range{static_cast<uint32_t>(begin), static_cast<uint32_t>(begin)};
  bool first = true;
  for (Token token = scanner.Next(); token.kind != TokenKind::kEnd; token = scanner.Next()) {
    if (token.kind == TokenKind::kError) {
      return {first ? static_cast<uint32_t>(begin) : range.begin, static_cast<uint32_t>(end)};
    }
    if (token.kind == TokenKind::kSymbol && text[begin + token.range.begin] == ';') continue;
    if (first) range.begin = static_cast<uint32_t>(begin) + token.range.begin;
    first = false;
    range.end = static_cast<uint32_t>(begin) + token.range.end;
  }
  return range;
}

// The parser reads UTF-8. Of a text in another encoding it gets one where nothing has moved and
// 'x' stands for what is beyond ASCII; nullopt where a name would become another.
std::optional<std::string> HideForeign(std::string_view text, bool standard_conforming_strings) {
  Scanner scanner(text, standard_conforming_strings);
  for (Token token = scanner.Next(); token.kind != TokenKind::kEnd; token = scanner.Next()) {
    if (token.kind == TokenKind::kError) return std::nullopt;
    if (!LiteralKindOf(token.kind).has_value() &&
        !IsAscii(text.substr(token.range.begin, token.range.size()))) {
      return std::nullopt;
    }
  }
  std::string hidden(text);
  for (char& c : hidden) {
    if (static_cast<unsigned char>(c) >= 0x80) c = 'x';
  }
  return hidden;
}

bool AreAscii(std::string_view text, absl::Span<const Literal> literals) {
  return std::all_of(literals.begin(), literals.end(), [text](const Literal& literal) {
    return IsAscii(text.substr(literal.range.begin, literal.range.size()));
  });
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

size_t Router::cached_statements() const { return cache_->size(); }

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
  const std::optional<TextRange> extent =
      MakeShape(text, context.standard_conforming_strings, &analysis->shape, &analysis->literals);
  const Cache::Key key{analysis->shape, context.id, parameter_types};
  if (extent.has_value()) {
    if (const Ref<const Statement>* cached = cache_->Find(key)) {
      ++counters_.cache_hits;
      analysis->parts.push_back(
          {*extent, *cached, 0, static_cast<uint32_t>(analysis->literals.size())});
      return;
    }
  } else {
    analysis->literals.clear();
    analysis->shape.clear();
  }
  ++counters_.cache_misses;
  AnalyzeAnew(text, context, parameter_types, analysis);
  if (extent.has_value() && analysis->parts.size() == 1 &&
      analysis->parts[0].statement->shared_by_shape) {
    cache_->Insert(key, analysis->parts[0].statement);
  }
}

struct Router::Reading {
  std::optional<ParseTree> tree;
  bool is_syntax_error = false;
  bool foreign = false;         // has characters of an encoding that the parser does not read
  bool strings_hidden = false;  // what stands in strings is not what the tree says
};

Router::Reading Router::Read(std::string_view text, const SqlContext& context,
                             absl::Span<const Literal> literals, bool strings_known) const {
  Reading reading;
  // Without a shape the places of the strings are not known either.
  bool may_parse =
      text.size() <= limits_.max_parsed_text_bytes &&
      (strings_known || context.standard_conforming_strings || text.find('\\') == text.npos);
  std::string readable(text);
  reading.foreign = !IsUtf8(context.encoding) && !IsAscii(text);
  if (may_parse && reading.foreign) {
    auto hidden = HideForeign(text, context.standard_conforming_strings);
    may_parse = strings_known && hidden.has_value();
    if (may_parse) readable = *std::move(hidden);
  }
  if (may_parse && ParserReadsStringsAlike(text, literals, context)) {
    reading.tree = ParseTree::Parse(readable, &reading.is_syntax_error);
  }
  // What stands in a string may be the reason. It is none to know less of the statement than of
  // others of its shape: the server will judge the string.
  if (may_parse && strings_known && !reading.tree.has_value() && !reading.is_syntax_error) {
    reading.strings_hidden = true;
    reading.tree =
        ParseTree::Parse(HideStrings(readable, literals, context), &reading.is_syntax_error);
    reading.is_syntax_error = false;
  }
  return reading;
}

void Router::AnalyzeAnew(std::string_view text, const SqlContext& context,
                         absl::Span<const Oid> parameter_types, Analysis* analysis) const {
  Planning planning{text, context, parameter_types, analysis->literals, *map_, *schema_, {}};
  const Reading reading = Read(text, context, analysis->literals, !analysis->shape.empty());
  const std::optional<ParseTree>& tree = reading.tree;
  if (!tree.has_value()) {
    const TextRange range = TrimByTokens(text, 0, text.size(), context.standard_conforming_strings);
    if (range.size() == 0) return;
    analysis->parts.push_back(
        {range,
         PlanOpaque(text.substr(range.begin, range.size()), reading.is_syntax_error, planning), 0,
         static_cast<uint32_t>(analysis->literals.size())});
    return;
  }
  for (const ParseTree::Part& part : tree->parts()) {
    Analysis::Part& planned = analysis->parts.emplace_back();
    const bool only = tree->parts().size() == 1;
    planned.range = TrimByTokens(text, only ? 0 : part.begin, only ? text.size() : part.end,
                                 context.standard_conforming_strings);
    planning.literals = LiteralsIn(analysis->literals, planned.range, &planned.first_literal);
    planned.literal_count = static_cast<uint32_t>(planning.literals.size());
    planning.depends_on_literals = planning.depends_on_text = false;
    planned.statement = PlanStatement(part.statement, planned.range, &planning);
    const bool hidden =
        reading.strings_hidden || (reading.foreign && !AreAscii(text, planning.literals));
    if (hidden && !planned.statement->shared_by_shape) {
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
  std::vector<ShardIndex> shard_of_row;
  for (const ShardSet& shard : **shards) shard_of_row.push_back(shard.first());
  return CutInsert(*program.insert, shard_of_row, values, program.standard_conforming_strings);
}

absl::StatusOr<std::string> Router::OwnedText(std::string_view text, const SqlContext& context,
                                              absl::Span<const Oid> parameter_types,
                                              ShardIndex shard) const {
  std::string shape;
  std::vector<Literal> literals;
  const bool strings_known =
      MakeShape(text, context.standard_conforming_strings, &shape, &literals).has_value();
  if (!strings_known) literals.clear();
  const Reading reading = Read(text, context, literals, strings_known);
  if (!reading.tree.has_value() || reading.tree->parts().size() != 1) {
    return absl::InternalError("OwnedText of another statement");
  }
  Planning planning{text, context, parameter_types, literals, *map_, *schema_, {}};
  return LeaveOutStrays(reading.tree->parts()[0].statement, &planning, shard);
}

absl::StatusOr<KeyMove> Router::FindKeyMove(const Statement& statement,
                                            const Values& values) const {
  if (!statement.route->move.has_value()) {
    return absl::InternalError("FindKeyMove of another statement");
  }
  return RunKeyMove(*statement.route, *map_, values);
}

std::optional<UsedKey> Router::FindUsedKey(const Statement& statement, const Values& values) const {
  return meridian::FindUsedKey(*statement.route, *map_, values);
}

}  // namespace meridian
