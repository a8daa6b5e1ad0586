// Hostile texts: deep, long, wide. They must cost bounded time and stack, and never be guessed at.
#include <gtest/gtest.h>

#include <chrono>

#include "router/copy/copy_spec.h"
#include "sharding/sql_status.h"
#include "tests/router/plan/world.h"

namespace meridian {
namespace {

constexpr char kWorld[] =
    "shards s1 s2\n"
    "distribution d bigint: s1, 100 s2\n"
    "sharded t d id\n"
    "relation t id:20 x:23\n";

std::string Repeat(std::string_view unit, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += unit;
  return text;
}

class LimitsTest : public testing::Test {
 protected:
  LimitsTest() { router_.Publish(world_.map, world_.schema); }

  // "one", or the SQLSTATE of the refusal. Fails when planning takes long.
  std::string RouteOf(const std::string& text) {
    const auto begin = std::chrono::steady_clock::now();
    Analysis analysis;
    router_.Analyze(text, SqlContext(), {}, &analysis);
    std::string route;
    for (const Analysis::Part& part : analysis.parts) {
      const auto decision = router_.Decide(*part.statement, {text, analysis.literals, {}}, {});
      route = decision.ok() ? std::string(RouteName(decision->route))
                            : ToSqlError(decision.status()).sqlstate;
    }
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(took, std::chrono::seconds(10)) << text.substr(0, 60);
    return route;
  }

  const World world_{kWorld};
  Router router_{RouterLimits()};
};

TEST_F(LimitsTest, TextThatIsTooLongIsOpaque) {
  const std::string text = "select * from t where id = 5 -- " + Repeat("x", 70'000);
  EXPECT_EQ(RouteOf(text), "0A000");
}

TEST_F(LimitsTest, DeepExpressionsAreOpaque) {
  EXPECT_EQ(RouteOf("select 1" + Repeat("+1", 60'000)), "0A000");
  EXPECT_EQ(RouteOf("select 1" + Repeat("::int", 60'000)), "0A000");
  EXPECT_EQ(RouteOf("select " + Repeat("(", 30'000) + "1" + Repeat(")", 30'000)), "0A000");
  EXPECT_EQ(RouteOf("select " + Repeat("not ", 60'000) + "true"), "0A000");
}

TEST_F(LimitsTest, ExpressionsOfModerateDepthArePlanned) {
  EXPECT_EQ(RouteOf("select x" + Repeat("+1", 1'400) + " from t where id = 5"), "one");
}

TEST_F(LimitsTest, ManyArmsAndItemsArePlanned) {
  EXPECT_EQ(RouteOf("select * from t where id = 5" + Repeat(" or id = 6", 30'000)), "one");
  EXPECT_EQ(RouteOf("select count(*) from t where id = 5" + Repeat(" or id=6", 60'000)), "0A000");
  EXPECT_EQ(RouteOf("select * from t where id in (5" + Repeat(",6", 60'000) + ")"), "one");
  EXPECT_EQ(RouteOf("select * from t where id = 5" + Repeat(" and id = 5", 60'000)), "one");
  EXPECT_EQ(RouteOf("insert into t (id) values (5)" + Repeat(",(6)", 60'000)), "one");
}

TEST_F(LimitsTest, ManyTablesArePlanned) {
  std::string from = "select * from t t0";
  std::string where = " where t0.id = 5";
  for (int i = 1; i < 60; ++i) {
    from += ", t t" + std::to_string(i);
    where += " and t" + std::to_string(i) + ".id = t" + std::to_string(i - 1) + ".id";
  }
  EXPECT_EQ(RouteOf(from + where), "one");
  EXPECT_EQ(RouteOf(from + Repeat(", t", 50'000) + where), "0A000");
  EXPECT_EQ(RouteOf(from + where + Repeat(" and t1.x = t2.x and t3.id = t9.id", 50'000)), "one");
}

TEST_F(LimitsTest, TheCacheForgetsTheLeastRecentlyUsed) {
  Router router{RouterLimits{.max_cached_statements = 2}};
  router.Publish(world_.map, world_.schema);
  Analysis analysis;
  const auto run = [&](const std::string& text) {
    router.Analyze(text, SqlContext(), {}, &analysis);
    return router.counters().cache_hits;
  };
  EXPECT_EQ(run("select 1 from t where id = 1"), 0u);
  EXPECT_EQ(run("SELECT 1 FROM t WHERE id = 2"), 1u);
  EXPECT_EQ(run("select x from t where id = 1"), 1u);
  EXPECT_EQ(run("select 1 from t where id = 3"), 2u);
  EXPECT_EQ(run("select id from t where id = 1"), 2u);  // forgets "select x"
  EXPECT_EQ(run("select 1 from t where id = 3"), 3u);
  EXPECT_EQ(run("select x from t where id = 3"), 3u);
  router.Publish(world_.map, world_.schema);
  EXPECT_EQ(run("select 1 from t where id = 3"), 3u);
}

TEST_F(LimitsTest, TheCacheKeepsContextsAndTypesApart) {
  Analysis analysis;
  SqlContext other;
  other.id = 7;
  other.search_path = {"elsewhere"};
  const std::string text = "select * from t where id = 150";
  const auto shards = [&](const SqlContext& context) {
    router_.Analyze(text, context, {}, &analysis);
    return router_.Decide(*analysis.parts[0].statement, {text, analysis.literals, {}}, {})->shards;
  };
  EXPECT_EQ(shards(SqlContext()), ShardSet::Of(ShardIndex{1}));
  EXPECT_EQ(shards(other), ShardSet::Of(ShardIndex{0}));  // a local table
  EXPECT_EQ(shards(SqlContext()), ShardSet::Of(ShardIndex{1}));
}

TEST_F(LimitsTest, DistributionKeySettingsAreRead) {
  EXPECT_EQ(router_.ShardOfKey("5").value(), ShardIndex{0});
  EXPECT_EQ(router_.ShardOfKey("d:150").value(), ShardIndex{1});
  for (const char* bad : {"", "x", "d:", "e:5", "(5)", "5,6"}) {
    const auto shard = router_.ShardOfKey(bad);
    ASSERT_FALSE(shard.ok()) << bad;
    EXPECT_EQ(ToSqlError(shard.status()).sqlstate, "22023") << bad;
  }
}

}  // namespace
}  // namespace meridian
