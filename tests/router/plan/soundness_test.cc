// Property: whatever random query the router lets through, the shards it names answer, put
// together, exactly what one server with all rows would. Queries over two small tables are
// generated together with a model that evaluates them (three-valued logic, outer joins, EXISTS), on
// all rows and on each shard's rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <random>

#include "tests/router/plan/world.h"

namespace meridian {
namespace {

constexpr char kWorld[] =
    "shards s1 s2 s3\n"
    "distribution d bigint: s1, 10 s2, 20 s3\n"
    "sharded t d id\n"
    "sharded u d tid\n"
    "relation t id:20 x:23\n"
    "relation u tid:20 y:23\n";

using Cell = std::optional<int64_t>;  // nullopt: NULL
using Truth = std::optional<bool>;    // nullopt: unknown
using Row = std::vector<Cell>;
using Rows = std::vector<Row>;
// Columns: t.id, t.x, u.tid, u.y, and those of u inside EXISTS.
struct Scope {
  Cell cells[6];
};

struct Data {
  Rows t;
  Rows u;
};

struct Expression {
  std::string sql;
  std::function<Truth(const Scope&, const Data&)> value;
};

constexpr const char* kColumns[] = {"t.id", "t.x", "u.tid", "u.y", "v.tid", "v.y"};

class Generator {
 public:
  explicit Generator(uint64_t seed) : rng_(seed) {}

  size_t Below(size_t n) { return rng_() % n; }

  Cell RandomCell() {
    if (Below(12) == 0) return std::nullopt;
    return static_cast<int64_t>(Below(30));
  }

  // A condition over the columns in `columns`.
  Expression Condition(const std::vector<size_t>& columns, int depth) {
    if (depth > 0) {
      switch (Below(9)) {
        case 0:
        case 1:
        case 2:
          return Both(Condition(columns, depth - 1), Condition(columns, depth - 1), true);
        case 3:
        case 4:
          return Both(Condition(columns, depth - 1), Condition(columns, depth - 1), false);
        case 5:
          return Not(Condition(columns, depth - 1));
        case 6:
          if (columns.back() < 4) return Exists(columns, depth - 1);
          break;
        default:
          break;
      }
    }
    return Leaf(columns);
  }

  Expression JoinedByKey(Expression rest) {
    return Both({"t.id = u.tid",
                 [](const Scope& s, const Data&) { return Compare("=", s.cells[0], s.cells[2]); }},
                std::move(rest), Below(8) != 0);
  }
  Expression WithKey(Expression rest) {
    const Cell key = static_cast<int64_t>(Below(30));
    return Both({"t.id = " + Literal(key),
                 [key](const Scope& s, const Data&) { return Compare("=", s.cells[0], key); }},
                std::move(rest), Below(8) != 0);
  }

 private:
  static Expression Both(Expression a, Expression b, bool is_and) {
    return {"(" + a.sql + (is_and ? " and " : " or ") + b.sql + ")",
            [a, b, is_and](const Scope& s, const Data& d) -> Truth {
              const Truth left = a.value(s, d);
              const Truth right = b.value(s, d);
              const bool decisive = !is_and;
              if (left == decisive || right == decisive) return decisive;
              if (!left.has_value() || !right.has_value()) return std::nullopt;
              return is_and;
            }};
  }

  static Expression Not(Expression a) {
    return {"not " + a.sql, [a](const Scope& s, const Data& d) -> Truth {
              const Truth value = a.value(s, d);
              if (!value.has_value()) return std::nullopt;
              return !*value;
            }};
  }

  Expression Exists(std::vector<size_t> columns, int depth) {
    columns.push_back(4);
    columns.push_back(5);
    const Expression inner = Condition(columns, depth);
    return {"exists (select from u v where " + inner.sql + ")",
            [inner](const Scope& s, const Data& d) -> Truth {
              for (const Row& row : d.u) {
                Scope scope = s;
                scope.cells[4] = row[0];
                scope.cells[5] = row[1];
                if (inner.value(scope, d) == true) return true;
              }
              return false;
            }};
  }

  std::string Literal(const Cell& cell) {
    if (!cell.has_value()) return "null";
    const std::string digits = std::to_string(*cell);
    switch (Below(6)) {
      case 0:
        return "'" + digits + "'";
      case 1:
        return digits + ".0";
      case 2:
        return digits + "::int4";
      case 3:
        return "(-(-" + digits + "))";
      default:
        return digits;
    }
  }

  static Truth Compare(const std::string& op, const Cell& a, const Cell& b) {
    if (!a.has_value() || !b.has_value()) return std::nullopt;
    if (op == "=") return *a == *b;
    if (op == "<>") return *a != *b;
    if (op == "<") return *a < *b;
    if (op == "<=") return *a <= *b;
    if (op == ">") return *a > *b;
    return *a >= *b;
  }

  Expression Leaf(const std::vector<size_t>& columns) {
    // Key columns more often.
    size_t column = columns[Below(columns.size())];
    if (column % 2 == 1 && Below(2) == 0) --column;
    const std::string name = kColumns[column];
    switch (Below(10)) {
      case 0:
        return {name + " is null",
                [column](const Scope& s, const Data&) { return !s.cells[column].has_value(); }};
      case 1:
        return {name + " is not null",
                [column](const Scope& s, const Data&) { return s.cells[column].has_value(); }};
      case 2:
        return List(column, name);
      case 3: {
        const Cell low = RandomCell();
        const Cell high = RandomCell();
        return {name + " between " + Literal(low) + " and " + Literal(high),
                [column, low, high](const Scope& s, const Data&) -> Truth {
                  const Truth above = Compare(">=", s.cells[column], low);
                  const Truth below = Compare("<=", s.cells[column], high);
                  if (above == false || below == false) return false;
                  if (!above.has_value() || !below.has_value()) return std::nullopt;
                  return true;
                }};
      }
      case 4:
      case 5: {
        const size_t other = columns[Below(columns.size())];
        return {name + " = " + kColumns[other], [column, other](const Scope& s, const Data&) {
                  return Compare("=", s.cells[column], s.cells[other]);
                }};
      }
      case 6: {
        const int64_t modulus = static_cast<int64_t>(2 + Below(5));
        return {name + " % " + std::to_string(modulus) + " = 1",
                [column, modulus](const Scope& s, const Data&) -> Truth {
                  if (!s.cells[column].has_value()) return std::nullopt;
                  return *s.cells[column] % modulus == 1;
                }};
      }
      default: {
        static const char* const kOps[] = {"=", "=", "=", "=", "<>", "<", "<=", ">", ">="};
        const std::string op = kOps[Below(9)];
        const Cell cell = RandomCell();
        if (Below(4) == 0) {
          return {Literal(cell) + " " + op + " " + name,
                  [=](const Scope& s, const Data&) { return Compare(op, cell, s.cells[column]); }};
        }
        return {name + " " + op + " " + Literal(cell),
                [=](const Scope& s, const Data&) { return Compare(op, s.cells[column], cell); }};
      }
    }
  }

  Expression List(size_t column, const std::string& name) {
    std::vector<Cell> cells;
    std::string items;
    const bool negated = Below(4) == 0;
    const bool array = !negated && Below(3) == 0;
    for (size_t i = 0; i < 1 + Below(3); ++i) {
      cells.push_back(RandomCell());
      if (!items.empty()) items += ", ";
      items += array ? (cells.back().has_value() ? std::to_string(*cells.back()) : "null")
                     : Literal(cells.back());
    }
    const std::string sql = array ? name + " = any('{" + items + "}')"
                                  : name + (negated ? " not in (" : " in (") + items + ")";
    return {sql, [column, cells, negated](const Scope& s, const Data&) -> Truth {
              bool unknown = false;
              for (const Cell& cell : cells) {
                const Truth equal = Compare("=", s.cells[column], cell);
                if (equal == true) return !negated;
                unknown |= !equal.has_value();
              }
              if (unknown) return std::nullopt;
              return negated;
            }};
  }

  std::mt19937_64 rng_;
};

enum class Join { kNone, kCross, kInner, kLeft, kRight, kFull };

struct Query {
  Join join = Join::kNone;
  Expression on;
  Expression where;
  // Other ways to write t and u.
  std::string with;
  std::string t = "t";
  std::string u = "u";

  std::string Sql() const {
    std::string from = t;
    switch (join) {
      case Join::kNone:
        break;
      case Join::kCross:
        from = t + ", " + u;
        break;
      case Join::kInner:
        from = t + " join " + u + " on " + on.sql;
        break;
      case Join::kLeft:
        from = t + " left join " + u + " on " + on.sql;
        break;
      case Join::kRight:
        from = t + " right join " + u + " on " + on.sql;
        break;
      case Join::kFull:
        from = t + " full join " + u + " on " + on.sql;
        break;
    }
    return with + "select * from " + from + " where " + where.sql;
  }

  Rows Run(const Data& data) const {
    Rows joined;
    const auto scope_of = [](const Row& t, const Row& u) {
      return Scope{{t[0], t[1], u[0], u[1], {}, {}}};
    };
    const Row null = {std::nullopt, std::nullopt};
    std::vector<bool> u_matched(data.u.size(), false);
    for (const Row& t : data.t) {
      bool matched = false;
      for (size_t i = 0; join != Join::kNone && i < data.u.size(); ++i) {
        const Row& u = data.u[i];
        if (join != Join::kCross && on.value(scope_of(t, u), data) != true) continue;
        matched = u_matched[i] = true;
        joined.push_back({t[0], t[1], u[0], u[1]});
      }
      const bool keeps = join == Join::kNone || join == Join::kLeft || join == Join::kFull;
      if (!matched && keeps) joined.push_back({t[0], t[1], null[0], null[1]});
    }
    for (size_t i = 0; i < data.u.size(); ++i) {
      const bool keeps = join == Join::kRight || join == Join::kFull;
      if (keeps && !u_matched[i]) joined.push_back({null[0], null[1], data.u[i][0], data.u[i][1]});
    }
    Rows result;
    for (const Row& row : joined) {
      const Scope scope{{row[0], row[1], row[2], row[3], {}, {}}};
      if (where.value(scope, data) == true) result.push_back(row);
    }
    return result;
  }
};

// Puts subqueries and WITH queries that hold the same rows in the place of the tables.
void Rewrite(Query* query, Generator* generator) {
  static const char* const kT[] = {
      "(select * from t) t", "(select x, id from t) t", "(select * from t offset 0) t",
      "(select * from (select id as a, x as b from t) s) t (id, x)", "one t"};
  static const char* const kU[] = {"(select u.* from u) u", "(select u.tid, y from u for update) u",
                                   "(select tid, y from u union all select 1, 1 where false) u",
                                   "(with v as (select * from u) select * from v) u", "two u"};
  query->t = kT[generator->Below(std::size(kT))];
  query->u = kU[generator->Below(std::size(kU))];
  query->with = "with one as (select * from t), two (tid, y) as materialized (select * from u) ";
}

Rows OnShard(const Rows& rows, const ShardMap& map, ShardIndex shard) {
  Rows kept;
  for (const Row& row : rows) {
    KeyTuple point;
    point.push_back(*row[0]);
    if (map.distributions()[0].Locate(point).owner == shard) kept.push_back(row);
  }
  return kept;
}

TEST(SoundnessTest, ShardsTogetherAnswerAsOneServer) {
  const World world(kWorld);
  Router router{RouterLimits()};
  router.Publish(world.map, world.schema);
  const SqlContext context;
  size_t one = 0;
  size_t concat = 0;
  size_t refused = 0;
  constexpr int kQueries = 20000;
  for (int seed = 0; seed < kQueries; ++seed) {
    Generator generator(seed);
    Query query;
    query.join = static_cast<Join>(generator.Below(6));
    const std::vector<size_t> t_columns = {0, 1};
    const std::vector<size_t> all_columns = {0, 1, 2, 3};
    query.on = generator.Condition(all_columns, 2);
    query.where = generator.Condition(query.join == Join::kNone ? t_columns : all_columns, 3);
    // Queries of the kind that people write, too: joined by key, asking for a key.
    if (generator.Below(2) == 0) query.on = generator.JoinedByKey(query.on);
    if (generator.Below(2) == 0) query.where = generator.WithKey(query.where);
    if (generator.Below(8) == 0) Rewrite(&query, &generator);
    const std::string sql = query.Sql();
    Analysis analysis;
    router.Analyze(sql, context, {}, &analysis);
    ASSERT_EQ(analysis.parts.size(), 1u) << sql;
    const auto decision =
        router.Decide(*analysis.parts[0].statement, {sql, analysis.literals, {}}, {});
    if (!decision.ok()) {
      ++refused;
      continue;
    }
    ASSERT_TRUE(decision->route == Route::kOne || decision->route == Route::kConcat) << sql;
    (decision->route == Route::kOne ? one : concat) += 1;
    for (int data_set = 0; data_set < 4; ++data_set) {
      Data data;
      for (int i = 0; i < 8; ++i) {
        data.t.push_back({static_cast<int64_t>(generator.Below(30)), generator.RandomCell()});
        data.u.push_back({static_cast<int64_t>(generator.Below(30)), generator.RandomCell()});
      }
      Rows expected = query.Run(data);
      Rows got;
      decision->shards.ForEach([&](ShardIndex shard) {
        const Rows part =
            query.Run({OnShard(data.t, *world.map, shard), OnShard(data.u, *world.map, shard)});
        got.insert(got.end(), part.begin(), part.end());
      });
      std::sort(expected.begin(), expected.end());
      std::sort(got.begin(), got.end());
      ASSERT_EQ(expected, got) << "seed " << seed << ": " << sql;
    }
  }
  // The property must not hold because nothing gets through.
  EXPECT_GT(one, kQueries / 10);
  EXPECT_GT(concat, kQueries / 20);
  EXPECT_GT(refused, kQueries / 20);
}

}  // namespace
}  // namespace meridian
