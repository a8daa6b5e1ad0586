// The whole life of a map, and two proxies that change it at once.
#include <gmock/gmock.h>

#include <thread>

#include "tests/sharding/admin/admin_cluster.h"

namespace meridian {
namespace {

using testing::HasSubstr;

class AdminMapLife : public AdminCluster {};

TEST_F(AdminMapLife, FromNothingToNothing) {
  CreateShards(2);
  EXPECT_TRUE(notices_.empty());
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "");
  On(0).Query("CREATE TABLE t (id bigint PRIMARY KEY, v text)");
  ASSERT_EQ(Run("ALTER DISTRIBUTION d ATTACH TABLE t DISTRIBUTION KEY id;"
                "SPLIT KEY RANGE x FROM d_2 BY 4611686018427387904"),
            "");
  EXPECT_EQ(Ask("SHOW KEY RANGES"),
            "d_1|d|MINVALUE|0|s1\nd_2|d|0|4611686018427387904|s2\n"
            "x|d|4611686018427387904|-|s2\n");
  EXPECT_EQ(Ask("SHOW TABLES"), "public|t|sharded|d|id\n");
  EXPECT_EQ(map_->epoch(), Epoch{6});
  EXPECT_EQ(Ask("SHOW EPOCH"), "6\n");
  EXPECT_EQ(Run("DROP SHARD s2").substr(0, 5), "2BP01");
  EXPECT_EQ(Run("DROP DISTRIBUTION d").substr(0, 5), "2BP01");
  ASSERT_EQ(Run("UNITE KEY RANGE d_2 WITH x; ALTER DISTRIBUTION d DETACH TABLE t;"
                "DROP DISTRIBUTION d; DROP SHARD s2"),
            "");
  EXPECT_EQ(Ask("SHOW SHARDS WHERE shard = 's2'"), "");
  EXPECT_EQ(map_->epoch(), Epoch{10});
  EXPECT_EQ(On(0).Value("SELECT string_agg(changed_by, '' ORDER BY epoch) FROM meridian.changes "
                        "WHERE command LIKE 'DROP%'"),
            "testertester");
  EXPECT_EQ(On(0).Value("SELECT command FROM meridian.changes WHERE epoch = 6"),
            "SPLIT KEY RANGE x FROM d_2 BY 4611686018427387904");
}

TEST_F(AdminMapLife, AnUnreachableShardIsAWarning) {
  ASSERT_EQ(Run("CREATE SHARD s1 OPTIONS (HOST '127.0.0.1:1')"), "");
  EXPECT_THAT(notices_, testing::ElementsAre(HasSubstr("no node of shard \"s1\" can be reached")));
}

// Every kind of bound comes back from the catalog as it went in.
TEST_F(AdminMapLife, BoundsOfEveryTypeAreKept) {
  CreateShards(1);
  const std::pair<const char*, const char*> kBounds[] = {
      {"smallint", "-7"},
      {"text", "'it''s \\ \"{,}\"'"},
      {"uuid", "'6f2c1e00-0000-0000-0000-0000000000ff'"},
      {"date", "'2024-02-29'"},
      {"timestamp", "'infinity'"},
      {"timestamptz", "'2024-02-29 12:00:00.5+00'"},
      {"bytea", "'\\x00ff'"},
      {"numeric", "'-12.5'"}};
  for (const auto& [type, bound] : kBounds) {
    ASSERT_EQ(Run(fmt::format("CREATE DISTRIBUTION d_{0} COLUMN TYPES {0} SHARDS (s1);"
                              "SPLIT KEY RANGE r_{0} FROM d_{0}_1 BY {1}",
                              type, bound)),
              "")
        << type;
    const auto map = store_.Load();
    ASSERT_TRUE(map.ok()) << map.status();
    const Distribution& d = *(*map)->FindDistribution(fmt::format("d_{}", type));
    EXPECT_EQ(Compare(d.ranges()[1].lower.values,
                      map_->FindDistribution(d.name())->ranges()[1].lower.values),
              0);
  }
  EXPECT_EQ(Ask("SHOW KEY RANGES WHERE key_range = 'r_text'"),
            "r_text|d_text|E'it''s \\\\ \"{,}\"'|-|s1\n");
}

// Two proxies split the same map: both keep working, every split is there, epochs only grow.
TEST_F(AdminMapLife, TwoProxiesAtOnce) {
  CreateShards(1);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint SHARDS (s1)"), "");
  const uint64_t start = map_->epoch().value;
  constexpr int kSplits = 20;
  const auto work = [&](int worker) {
    CatalogStore store(Options());
    AdminExecutor executor(store, Access());
    uint64_t last = 0;
    for (int i = 0; i < kSplits; ++i) {
      const std::string text =
          fmt::format("CREATE KEY RANGE FROM {} ROUTE TO s1 FOR DISTRIBUTION d", 10 * i + worker);
      auto outcome = executor.Execute(ParseAdmin(text)->front().command, text, "me",
                                      [](const AdminNotice&) {});
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      EXPECT_GT(outcome->map->epoch().value, last);
      last = outcome->map->epoch().value;
    }
  };
  std::thread other(work, 1);
  work(2);
  other.join();
  const auto map = store_.Load();
  ASSERT_TRUE(map.ok());
  EXPECT_EQ((*map)->epoch().value, start + 2 * kSplits);
  EXPECT_EQ((*map)->distributions()[0].ranges().size(), 1u + 2 * kSplits);
}

TEST_F(AdminMapLife, OneOfTwoProxiesWins) {
  CreateShards(1);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint SHARDS (s1)"), "");
  CatalogStore store(Options());
  AdminExecutor other(store, Access());
  const std::string split = "SPLIT KEY RANGE x FROM d_1 BY 5";
  ASSERT_TRUE(
      other.Execute(ParseAdmin(split)->front().command, split, "me", [](const AdminNotice&) {})
          .ok());
  EXPECT_EQ(Run(split), "42710 key range \"x\" already exists");
}

}  // namespace
}  // namespace meridian
