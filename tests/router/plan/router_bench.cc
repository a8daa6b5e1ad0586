// What routing costs per statement: a hit of the plan cache with its decision, and a miss.
#include <benchmark/benchmark.h>

#include "router/router.h"
#include "tests/router/plan/world.h"

namespace meridian {
namespace {

constexpr char kWorld[] =
    "shards s1 s2\n"
    "distribution d bigint hash: s1, 0 s2\n"
    "sharded pgbench_accounts d aid\n"
    "relation pgbench_accounts aid:20 bid:23 abalance:23 filler:1042\n";

void Run(benchmark::State& state, const std::string& text, std::string_view parameter,
         size_t cached) {
  const World world(kWorld);
  Router router{RouterLimits{.max_cached_statements = cached}};
  router.Publish(world.map, world.schema);
  const SqlContext context;
  const Oid types[] = {23};
  const Parameter parameters[] = {{23, false, parameter}};
  const bool has_parameter = !parameter.empty();
  Analysis analysis;
  for (auto _ : state) {
    router.Analyze(text, context, absl::MakeConstSpan(types, has_parameter), &analysis);
    const auto decision = router.Decide(
        *analysis.parts[0].statement,
        {text, analysis.literals, absl::MakeConstSpan(parameters, has_parameter)}, {});
    benchmark::DoNotOptimize(decision);
  }
}

const char kPointSelect[] = "SELECT abalance FROM pgbench_accounts WHERE aid = 123456";

void HitPointSelect(benchmark::State& state) { Run(state, kPointSelect, "", 64); }
void HitPointSelectWithParameter(benchmark::State& state) {
  Run(state, "SELECT abalance FROM pgbench_accounts WHERE aid = $1", "123456", 64);
}
void HitUpdate(benchmark::State& state) {
  Run(state, "UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 123456;", "", 64);
}
void HitInsertOfTenRows(benchmark::State& state) {
  std::string text = "INSERT INTO pgbench_accounts (aid, bid, filler) VALUES (1, 1, '')";
  for (int i = 2; i <= 10; ++i) text += ", (" + std::to_string(i) + ", 1, '')";
  Run(state, text, "", 64);
}
void MissPointSelect(benchmark::State& state) { Run(state, kPointSelect, "", 0); }

BENCHMARK(HitPointSelect);
BENCHMARK(HitPointSelectWithParameter);
BENCHMARK(HitUpdate);
BENCHMARK(HitInsertOfTenRows);
BENCHMARK(MissPointSelect);

}  // namespace
}  // namespace meridian
