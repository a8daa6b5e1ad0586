#include "sharding/shard_map.h"

#include <gtest/gtest.h>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

Shard MakeShard(std::string name, std::string host) {
  return {.name = std::move(name), .nodes = {{.host = std::move(host)}}, .dbname = {}};
}

// What Build takes, valid until a test breaks it.
struct Parts {
  std::vector<Shard> shards = {MakeShard("s1", "a"), MakeShard("s2", "b")};
  std::vector<Distribution> distributions = {
      *Distribution::Build("d", {{.type = KeyType::kBigint, .hashed = true}},
                           {{.name = "r1", .lower = {}, .owner = {0}},
                            {.name = "r2", .lower = {{int64_t{0}}}, .owner = {1}}})};
  std::vector<MappedTable> tables = {
      {.name = {"public", "orders"},
       .kind = MappedTable::Kind::kSharded,
       .distribution = 0,
       .key_columns = {"id"}},
      {.name = {"public", "products"}, .kind = MappedTable::Kind::kReference, .key_columns = {}}};

  absl::StatusOr<std::shared_ptr<const ShardMap>> Build() const {
    return ShardMap::Build(Epoch{7}, shards, distributions, tables);
  }
};

TEST(ShardMap, FindsWhatItHolds) {
  const auto map = *Parts().Build();
  EXPECT_EQ(map->epoch(), Epoch{7});
  EXPECT_EQ(map->FindShard("s2"), ShardIndex{1});
  EXPECT_EQ(map->FindShard("s3"), std::nullopt);
  EXPECT_EQ(map->shard({1}).name, "s2");
  EXPECT_EQ(map->FindDistribution("d")->name(), "d");
  EXPECT_EQ(map->FindDistribution("D"), nullptr);
  EXPECT_EQ(map->FindTable("public", "orders")->key_columns[0], "id");
  EXPECT_EQ(map->FindTable("public", "other"), nullptr);
  EXPECT_EQ(map->FindTable("other", "orders"), nullptr);
  EXPECT_EQ(map->AllShards().size(), 2u);
}

TEST(ShardMap, MayBeEmpty) {
  const auto map = ShardMap::Build(Epoch{}, {}, {}, {});
  ASSERT_TRUE(map.ok());
  EXPECT_TRUE((*map)->AllShards().empty());
}

void ExpectRefused(const Parts& parts, std::string_view reason) {
  const auto map = parts.Build();
  ASSERT_FALSE(map.ok()) << reason;
  const SqlError error = ToSqlError(map.status());
  EXPECT_EQ(error.sqlstate, "22023");
  EXPECT_NE(error.message.find(reason), std::string::npos) << error.message;
}

TEST(ShardMap, RefusesBadShards) {
  Parts parts;
  parts.shards[1].name = "s1";
  ExpectRefused(parts, "two shards \"s1\"");
  parts = {};
  parts.shards[0].name = "";
  ExpectRefused(parts, "no name");
  parts = {};
  parts.shards[0].nodes.clear();
  ExpectRefused(parts, "has no node");
  parts = {};
  parts.shards[1].nodes[0].host = "a";
  ExpectRefused(parts, "node a:5432 is listed twice");
  parts.shards[1].dbname = "other";
  EXPECT_TRUE(parts.Build().ok());
  parts = {};
  for (size_t i = 0; i < kMaxShards; ++i) {
    parts.shards.push_back(MakeShard("x" + std::to_string(i), "h" + std::to_string(i)));
  }
  ExpectRefused(parts, "more than 256 shards");
}

TEST(ShardMap, RefusesBadDistributions) {
  Parts parts;
  parts.distributions.push_back(parts.distributions[0]);
  ExpectRefused(parts, "two distributions \"d\"");
  parts = {};
  parts.shards.pop_back();
  ExpectRefused(parts, "has no owner");
}

TEST(ShardMap, RefusesBadTables) {
  Parts parts;
  parts.tables[1].name.name = "orders";
  ExpectRefused(parts, "two tables public.orders");
  parts = {};
  parts.tables[0].distribution = 1;
  ExpectRefused(parts, "has no distribution");
  parts = {};
  parts.tables[0].key_columns = {"id", "line"};
  ExpectRefused(parts, "has 2 key columns");
  parts = {};
  parts.tables[0].key_columns = {""};
  ExpectRefused(parts, "empty or there twice");
  parts = {};
  parts.tables[1].key_columns = {"id"};
  ExpectRefused(parts, "has key columns");
  parts = {};
  parts.tables[1].name.schema = "";
  ExpectRefused(parts, "no schema");
}

TEST(ShardMap, RefusesStrayRowsWhereTheyBelong) {
  const auto build = [](std::vector<StrayRows> strays) {
    std::vector<KeyRange> ranges = {{"a", {}, {0}},
                                    {"b", {{KeyValue(int64_t{10})}}, {1}},
                                    {"c", {{KeyValue(int64_t{20})}}, {0}}};
    auto distribution = Distribution::Build("d", {{KeyType::kBigint, false}}, std::move(ranges));
    return ShardMap::Build({1}, {{"s1", {{"h", 1}}, ""}, {"s2", {{"h", 2}}, ""}}, {*distribution},
                           {}, std::move(strays));
  };
  const auto at = [](int64_t value) { return KeyBound{{KeyValue(value)}}; };
  const auto map = build({{{0}, 0, at(10), at(20)}, {{1}, 0, {}, at(10)}, {{1}, 0, at(20), {}}});
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ((*map)->ShardsWithStrays().size(), 2u);
  for (const StrayRows& wrong : std::vector<StrayRows>{{{0}, 0, at(10), at(21)},
                                                       {{0}, 0, at(9), at(20)},
                                                       {{0}, 0, {}, {}},
                                                       {{1}, 0, at(12), at(13)},
                                                       {{0}, 0, at(13), at(13)},
                                                       {{2}, 0, at(10), at(20)},
                                                       {{0}, 1, at(10), at(20)}}) {
    EXPECT_EQ(ToSqlError(build({wrong}).status()).sqlstate, "22023");
  }
}

TEST(ShardMap, KnowsTheRangesOnTheMove) {
  Parts parts;
  EXPECT_TRUE((*parts.Build())->moving().empty());
  parts.distributions.push_back(*Distribution::Build(
      "e", {{.type = KeyType::kBigint, .hashed = false}},
      {{.name = "e1", .lower = {}, .owner = {0}},
       {.name = "e2", .lower = {{int64_t{5}}}, .owner = {0}, .move = RangeMove{{1}, true, 0}},
       {.name = "e3", .lower = {{int64_t{9}}}, .owner = {1}, .move = RangeMove{{0}, false, 77}}}));
  const auto map = *parts.Build();
  ASSERT_EQ(map->moving().size(), 2u);
  EXPECT_EQ(map->range(map->moving()[0]).name, "e2");
  EXPECT_EQ(map->range(map->moving()[1]).name, "e3");
  EXPECT_EQ(map->held(), 1u);
  EXPECT_EQ(map->MovingAt({0}), 3u);
  EXPECT_EQ(map->CompleteAt({0}), 0u);
  EXPECT_EQ(map->CompleteAt({1}), 77u);
  const Distribution& e = *map->FindDistribution("e");
  const auto owners = [&e](int64_t from, int64_t to) {
    return e.OwnersOfInterval(IntervalEnd{{KeyValue(from)}}, IntervalEnd{{KeyValue(to)}});
  };
  EXPECT_EQ(owners(1, 4).moving(), 0u);
  EXPECT_EQ(owners(1, 5).moving(), 1u);
  EXPECT_EQ(owners(9, 9).moving(), 2u);
  EXPECT_EQ(e.AllOwners().moving(), 3u);
  EXPECT_EQ(map->FindDistribution("d")->AllOwners().moving(), 0u);
  EXPECT_EQ(owners(1, 4), owners(1, 5));  // the same shards
}

TEST(ShardMap, RefusesMovesToNowhere) {
  Parts parts;
  for (const uint16_t peer : {0, 2}) {
    parts.distributions = {*Distribution::Build(
        "e", {{.type = KeyType::kBigint, .hashed = false}},
        {{.name = "e1", .lower = {}, .owner = {0}, .move = RangeMove{{peer}, false, 0}}})};
    parts.tables.clear();
    ExpectRefused(parts, "moves to or from no other shard");
  }
}

TEST(TableName, IsQuotedWhereNeeded) {
  EXPECT_EQ((TableName{"public", "orders"}.ToString()), "public.orders");
  EXPECT_EQ((TableName{"Odd", "Na\"me"}.ToString()), "\"Odd\".\"Na\"\"me\"");
}

}  // namespace
}  // namespace meridian
