// Any text: Analyze must not crash, an answer from the plan cache must be the one that planning
// anew gives, and what is sent to a shard instead of the text must be a statement that can be read.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "router/copy/copy_spec.h"
#include "router/router.h"
#include "sharding/sql_status.h"
#include "tests/fuzz/fuzz.h"
#include "tests/router/plan/world.h"

namespace meridian {
namespace {

constexpr char kWorld[] =
    "shards s1 s2 s3\n"
    "distribution d bigint: s1, 100 s2, 200 s3\n"
    "distribution c integer, text hash: s1, 100 s2\n"
    "sharded t d id\n"
    "sharded pair c a, b\n"
    "reference ref\n"
    "strays s2 d 20 30\n"
    "strays s2 c 0 10\n"
    "relation t id:20 x:23 s:25\n"
    "relation pair a:23 b:25\n"
    "relation ref id:20 label:25\n"
    "relation v view id:20 reads=t\n";

void Require(bool condition, const char* what, const std::string& text) {
  if (condition) return;
  std::fprintf(stderr, "%s: %s\n", what, text.c_str());
  std::abort();
}

constexpr size_t kMaxParsedTextBytes = 4096;

void CheckReadable(const Router& router, const std::string& text, const SqlContext& context) {
  if (text.size() > kMaxParsedTextBytes) return;
  Require(router.OwnedText(text, context, {}, ShardIndex{1}).ok(), "cannot be read", text);
}

void CheckOwnedText(const Router& router, std::string_view text, const SqlContext& context) {
  const auto owned = router.OwnedText(text, context, {}, ShardIndex{1});
  if (!owned.ok()) {
    Require(ToSqlError(owned.status()).sqlstate == sqlstate::kObjectInUse,
            "strays cannot be left out", std::string(text));
  } else {
    CheckReadable(router, *owned, context);
  }
}

// All that the session reads, in one line.
std::string Summary(const Router& router, std::string_view text, const SqlContext& context,
                    const Analysis& analysis) {
  std::string summary;
  for (const Analysis::Part& part : analysis.parts) {
    const Statement& s = *part.statement;
    summary += fmt::format("[{} {} {} {}{}{}{}{}{}{}{} {}", part.range.begin, part.range.end,
                           static_cast<int>(s.verb), s.writes, s.local, s.all, s.chain,
                           s.needs_own_transaction, s.changes_schema, s.returns_rows,
                           s.copy != nullptr, s.name);
    for (const std::string& argument : s.arguments) summary += ' ' + argument;
    summary += fmt::format(" {} {} {} {}", s.name_range.begin, s.name_range.end, s.body_range.begin,
                           s.execute_arguments.size());
    std::vector<Literal> literals;
    for (Literal literal : analysis.LiteralsOf(part)) {
      literal.range.begin -= part.range.begin;
      literal.range.end -= part.range.begin;
      literals.push_back(literal);
    }
    const Values values{
        text.substr(part.range.begin, part.range.size()), literals, {}, context.encoding};
    for (const RouteHints& hints : {RouteHints{}, RouteHints{ShardIndex{1}}}) {
      const auto decision = router.Decide(s, values, hints);
      if (!decision.ok()) {
        summary += ' ' + ToSqlError(decision.status()).message;
        continue;
      }
      summary += fmt::format(" {}:", RouteName(decision->route));
      decision->shards.ForEach([&](ShardIndex shard) { summary += std::to_string(shard.value); });
      if (decision->LeavesOutStrays()) CheckOwnedText(router, values.text, context);
      if (decision->route != Route::kSplit) continue;
      const auto inserts = router.SplitInsert(s, values);
      Require(inserts.ok(), "cannot be split", std::string(text));
      size_t rows = 0;
      for (const ShardInsert& insert : *inserts) {
        CheckReadable(router, insert.text, context);
        rows += insert.rows.size();
      }
      summary += fmt::format(" {} rows", rows);
    }
    router.Candidates(s, {});
    router.Explain(s, values, {});
    summary += ']';
  }
  return summary;
}

}  // namespace
}  // namespace meridian

std::vector<std::string> FuzzSeeds() {
  return {
      "select * from t where id = 5 and x in (1, 2) or s like 'a%';",
      "select * from ((t as a join t as b on a.id = b.id) join only (t) as c using (id)) where a.x "
      "= "
      "1 or b.x = 2 for update of a",
      "update only (pair) as p set x = '(' where (p.a > 1) returning p.*",
      "select * from t a join pair b on a.id = b.a left join ref using (id) where (a, b) = (1, "
      "'x')",
      "with q as (select * from t where id = -5) select count(*) from q union select $1::int",
      "insert into t (id, x) values (1, 'a'), (150, E'b\\n') on conflict (id) do nothing",
      "insert into pair values (5, $$x$$), (150, 'y') returning a",
      "update t set x = x + 1 where id = any('{1,2}') returning *",
      "delete from t using ref where t.id = ref.id and t.id between 5 and 6.5",
      "merge into t using ref on t.id = 5 when not matched then insert (id) values (5)",
      "copy t (id, x) from stdin with (format csv, delimiter ';', null 'x')",
      "prepare p (int) as select * from t where id = $1; execute p(5); deallocate p",
      "set local search_path to a, 'b'; begin; select 1 /* c */ -- d",
      "explain (analyze) select * from v where id = 5",
      "create table x (id int references t (id), unique (id)); alter table t add column y serial",
      "drop table t; comment on column t.x is 'y'; create role a password 'x'",
      "select set_config('a', 'b', true), nextval('s'), pg_advisory_lock(1)",
      "declare c cursor with hold for select * from t; fetch 5 from c; close c",
  };
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace meridian;
  static const World& world = *new World(kWorld);
  static Router& router = *[] {
    auto* made = new Router(
        RouterLimits{.max_parsed_text_bytes = kMaxParsedTextBytes, .max_cached_statements = 64});
    made->Publish(world.map, world.schema);
    return made;
  }();
  std::string text(reinterpret_cast<const char*>(data), size);
  text.resize(std::min(text.find('\0'), text.size()));  // the protocol's strings end there
  SqlContext context;
  context.standard_conforming_strings = size % 4 != 0;
  constexpr ClientEncoding kEncodings[] = {ClientEncoding::kUtf8, ClientEncoding::kLatin1,
                                           ClientEncoding::kEucJp};
  context.encoding = kEncodings[size % 3];
  context.id =
      (context.standard_conforming_strings ? 1 : 2) + 2 * static_cast<uint32_t>(context.encoding);
  Analysis first;
  router.Analyze(text, context, {}, &first);
  Analysis second;
  router.Analyze(text, context, {}, &second);
  Router fresh{
      RouterLimits{.max_parsed_text_bytes = kMaxParsedTextBytes, .max_cached_statements = 0}};
  fresh.Publish(world.map, world.schema);
  Analysis third;
  fresh.Analyze(text, context, {}, &third);
  const std::string expected = Summary(fresh, text, context, third);
  Require(Summary(router, text, context, first) == expected, "the cache differs", text);
  Require(Summary(router, text, context, second) == expected, "the cache differs", text);
  return 0;
}
