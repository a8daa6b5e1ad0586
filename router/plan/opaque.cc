// Text that PostgreSQL 15's grammar refuses, or that is too long to be parsed.
#include "router/copy/copy_spec.h"
#include "router/lex/scanner.h"
#include "router/lex/shape.h"
#include "router/plan/plan.h"
#include "router/plan/program.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// The parser is PostgreSQL 15's.
constexpr int kFirstNewerVersion = 160000;

Verb VerbOfWord(std::string_view word) {
  static constexpr std::pair<std::string_view, Verb> kVerbs[] = {
      {"select", Verb::kSelect},     {"values", Verb::kSelect}, {"table", Verb::kSelect},
      {"with", Verb::kSelect},       {"insert", Verb::kInsert}, {"update", Verb::kUpdate},
      {"delete", Verb::kDelete},     {"merge", Verb::kMerge},   {"create", Verb::kDdl},
      {"alter", Verb::kDdl},         {"drop", Verb::kDdl},      {"explain", Verb::kExplain},
      {"truncate", Verb::kTruncate}, {"lock", Verb::kLock},     {"call", Verb::kCall},
      {"do", Verb::kCall},
  };
  std::string lower(word);
  for (char& c : lower) c = AsciiLower(c);
  for (const auto& [name, verb] : kVerbs) {
    if (name == lower) return verb;
  }
  return Verb::kOther;
}

}  // namespace

Ref<const Statement> PlanOpaque(std::string_view part, bool is_syntax_error,
                                const Planning& planning) {
  Ref<Statement> statement = MakeRef<Statement>();
  Scanner scanner(part, planning.context.standard_conforming_strings);
  const Token first = scanner.Next();
  if (first.kind == TokenKind::kWord) {
    statement->verb = VerbOfWord(part.substr(first.range.begin, first.range.size()));
  }
  statement->readable_text = ReadableShape(part, planning.context.standard_conforming_strings);
  statement->shared_by_shape = false;
  auto program = std::make_unique<RouteProgram>();
  program->standard_conforming_strings = planning.context.standard_conforming_strings;
  program->kind = RouteProgram::Kind::kAnywhere;
  const int server = planning.schema.server_version_num();
  statement->is_syntax_error = is_syntax_error && server > 0 && server < kFirstNewerVersion;
  if (!planning.map.tables().empty() && !statement->is_syntax_error) {
    program->opaque_refusal = Refused(
        "cannot tell which tables this statement uses: it is too long, nested too deep or in a "
        "syntax that "
        "Meridian does not know",
        "Choose a shard with SET meridian.shard.");
  }
  if (!statement->is_syntax_error && !IsUtf8(planning.context.encoding) && !IsAscii(part)) {
    // It may be a SET, or DDL.
    statement->pin = PinReason::kOpaqueSetting;
    statement->changes_schema = statement->verb == Verb::kDdl;
    program->refusal = Refused(
        "this statement has characters beyond ASCII where only UTF8 is read: in a name, or in a "
        "command other than a query",
        "SET client_encoding TO 'UTF8'.");
  }
  statement->route = std::move(program);
  return Ref<const Statement>(statement.get());
}

}  // namespace meridian
