// The cost of a statement's shape. Aim: 100 to 250 ns for a statement of 60 bytes.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "router/lex/literal.h"
#include "router/lex/shape.h"

namespace meridian {
namespace {

constexpr std::string_view kPointSelect =
    "SELECT abalance FROM pgbench_accounts WHERE aid = 4711123;";
constexpr std::string_view kParameters = "SELECT abalance FROM pgbench_accounts WHERE aid = $1";
constexpr std::string_view kInsert =
    "INSERT INTO orders (id, customer, placed, total, currency, state, note, a, b, c) VALUES "
    "(42, 4711, '2024-05-06 07:08:09', 12.50, 'EUR', 'new', 'it''s urgent', 1, 2, 3)";
constexpr std::string_view kJoin =
    "SELECT o.id, o.total, c.name, l.product, l.quantity FROM orders o JOIN customers c ON c.id = "
    "o.customer JOIN lines l ON l.order_id = o.id WHERE o.customer = 4711 AND o.state <> 'done' "
    "AND l.quantity >= 2 ORDER BY o.placed DESC LIMIT 10";

void Shape(benchmark::State& state, std::string_view text) {
  std::string shape;
  std::vector<Literal> literals;
  for (auto _ : state) {
    benchmark::DoNotOptimize(MakeShape(text, true, &shape, &literals));
    benchmark::DoNotOptimize(shape.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK_CAPTURE(Shape, point_select, kPointSelect);
BENCHMARK_CAPTURE(Shape, parameters, kParameters);
BENCHMARK_CAPTURE(Shape, insert, kInsert);
BENCHMARK_CAPTURE(Shape, join, kJoin);

void Decode(benchmark::State& state) {
  std::string shape;
  std::string scratch;
  std::vector<Literal> literals;
  MakeShape(kInsert, true, &shape, &literals);
  for (auto _ : state) {
    for (const Literal& literal : literals) {
      benchmark::DoNotOptimize(DecodeLiteral(kInsert, literal, true, &scratch));
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * literals.size()));
}
BENCHMARK(Decode);

}  // namespace
}  // namespace meridian
