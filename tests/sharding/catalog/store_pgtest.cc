// The catalog on a real server: migrations, changes, several stores at once, losses.
#include "sharding/catalog/store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "sharding/catalog/migrations.h"
#include "sharding/sql_status.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

PgCluster& Cluster() {
  static PgCluster cluster;
  return cluster;
}

CatalogOptions Options(const PgCluster& cluster, std::string schema = "meridian") {
  CatalogOptions options;
  options.target.address = {"127.0.0.1", cluster.port()};
  options.target.dbname = "postgres";
  options.target.user = "postgres";
  options.schema = std::move(schema);
  return options;
}

std::string State(const absl::Status& status) {
  return status.ok() ? "" : ToSqlError(status).sqlstate;
}

absl::Status AddShard(MapDraft& draft, const std::string& name) {
  const int number = static_cast<int>(draft.shards.size());
  draft.shards.push_back({name, {{"host-" + name, 5432}}, "", number});
  return absl::OkStatus();
}

// Each test has a schema of its own.
class CatalogStoreTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.Migrate().ok()) << store_.Migrate(); }

  const std::string schema_ =
      std::string("odd \"") + testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string quoted_ = QuoteIdentifier(schema_);
  CatalogStore store_{Options(Cluster(), schema_)};
  Connection direct_ = Cluster().Connect();
};

TEST_F(CatalogStoreTest, MigratesOnceAndRecordsIt) {
  const std::string list =
      "SELECT string_agg(name || checksum || applied_at, ',') FROM " + quoted_ + ".migrations";
  const std::string before = direct_.Value(list);
  CatalogStore other(Options(Cluster(), schema_));
  EXPECT_TRUE(other.Migrate().ok());
  EXPECT_EQ(direct_.Value(list), before);
  auto map = store_.Load();
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ((*map)->epoch(), Epoch{1});
  EXPECT_TRUE((*map)->shards().empty());
}

TEST_F(CatalogStoreTest, MigratesFromManyProxiesAtOnce) {
  direct_.Query("DROP SCHEMA " + quoted_ + " CASCADE");
  std::vector<std::thread> proxies;
  std::vector<absl::Status> done(6);
  for (absl::Status& status : done) {
    proxies.emplace_back([&] { status = CatalogStore(Options(Cluster(), schema_)).Migrate(); });
  }
  for (std::thread& proxy : proxies) proxy.join();
  for (const absl::Status& status : done) EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(store_.Load().ok());
}

TEST_F(CatalogStoreTest, RefusesANewerCatalog) {
  direct_.Query("INSERT INTO " + quoted_ + ".migrations VALUES (999, 'future', 'x')");
  for (const absl::Status& status : {store_.Migrate(), store_.Load().status()}) {
    EXPECT_EQ(State(status), "55000");
    EXPECT_THAT(ToSqlError(status).message, testing::HasSubstr("has version 999"));
    EXPECT_FALSE(ToSqlError(status).hint.empty());
  }
  auto changed = store_.Change({"me", "x"}, [](MapDraft& draft) { return AddShard(draft, "s"); });
  EXPECT_EQ(State(changed.status()), "55000");
}

TEST_F(CatalogStoreTest, RefusesAnotherBuildsMigration) {
  direct_.Query("UPDATE " + quoted_ + ".migrations SET checksum = 'x'");
  EXPECT_EQ(State(store_.Migrate()), "55000");
}

// A catalog that was filled before shards had numbers.
TEST_F(CatalogStoreTest, BringsAFilledCatalogToItsVersion) {
  direct_.Query("CREATE TEMP TABLE applied AS SELECT * FROM " + quoted_ +
                ".migrations WHERE version <= 6;"
                "CREATE TEMP TABLE base (LIKE " +
                quoted_ +
                ".migrations INCLUDING ALL);"
                "DROP SCHEMA " +
                quoted_ + " CASCADE; CREATE SCHEMA " + quoted_ + "; CREATE TABLE " + quoted_ +
                ".migrations (LIKE base INCLUDING ALL);"
                "INSERT INTO " +
                quoted_ +
                ".migrations SELECT * FROM applied;"
                "SET search_path = " +
                quoted_);
  for (const Migration& migration : Migrations().subspan(0, 6)) {
    direct_.Query(std::string(migration.sql));
  }
  direct_.Query(
      "INSERT INTO shards VALUES ('b', 1, ''), ('a', 0, ''), ('c', 2, '');"
      "INSERT INTO nodes SELECT shard, 0, shard, 5432 FROM shards");
  CatalogStore store(Options(Cluster(), schema_));
  EXPECT_EQ(State(store.Load().status()), "55000");
  ASSERT_TRUE(store.Migrate().ok()) << store.Migrate();
  const auto map = store.Load();
  ASSERT_TRUE(map.ok()) << map.status();
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*map)->shards()[i].number, i);
  EXPECT_EQ(direct_.Value("SELECT nextval('shard_numbers')"), "3");
}

TEST_F(CatalogStoreTest, RefusesAMissingCatalog) {
  CatalogStore other(Options(Cluster(), "nowhere"));
  EXPECT_EQ(State(other.Load().status()), "55000");
}

TEST_F(CatalogStoreTest, ChangesRaiseTheEpochAndAreLogged) {
  auto map = store_.Change({"anna", "CREATE SHARD a"},
                           [](MapDraft& draft) { return AddShard(draft, "a"); });
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ((*map)->epoch(), Epoch{2});
  EXPECT_EQ((*map)->shards()[0].nodes[0].host, "host-a");
  auto again = store_.Change({"anna", "nothing"}, [](MapDraft&) { return absl::OkStatus(); });
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->epoch(), Epoch{2});
  EXPECT_EQ(direct_.Value("SELECT string_agg(epoch || changed_by || command, ',') FROM " + quoted_ +
                          ".changes"),
            "2annaCREATE SHARD a");
  EXPECT_EQ(*store_.LoadEpoch(), Epoch{2});
}

TEST_F(CatalogStoreTest, AFailedEditLeavesNothing) {
  auto failed = store_.Change({"me", "x"}, [](MapDraft& draft) {
    AddShard(draft, "a").IgnoreError();
    return SqlStatus("22023", "no");
  });
  EXPECT_EQ(State(failed.status()), "22023");
  auto invalid = store_.Change({"me", "x"}, [](MapDraft& draft) {
    draft.distributions.push_back({"d", {{KeyType::kBigint, false}}, {{"r", {}, "nobody"}}});
    return absl::OkStatus();
  });
  EXPECT_EQ(State(invalid.status()), "42704");
  EXPECT_EQ(*store_.LoadEpoch(), Epoch{1});
  EXPECT_TRUE((*store_.Load())->shards().empty());
}

TEST_F(CatalogStoreTest, ChangeAtRefusesAnotherEpoch) {
  const auto add = [](const char* name) {
    return [name](MapDraft& draft) { return AddShard(draft, name); };
  };
  EXPECT_TRUE(store_.ChangeAt(Epoch{1}, {"me", "x"}, add("a")).ok());
  EXPECT_EQ(State(store_.ChangeAt(Epoch{1}, {"me", "x"}, add("b")).status()), "40001");
}

// The schema itself refuses what an editor by hand might do.
TEST_F(CatalogStoreTest, ConstraintsGuardTheMap) {
  ASSERT_TRUE(store_
                  .Change({"me", "x"},
                          [](MapDraft& draft) {
                            AddShard(draft, "a").IgnoreError();
                            draft.distributions.push_back(
                                {"d",
                                 {{KeyType::kBigint, false}},
                                 {{"r1", {}, "a"}, {"r2", KeyBound{{KeyValue(int64_t{5})}}, "a"}}});
                            return absl::OkStatus();
                          })
                  .ok());
  const auto state = [&](const std::string& sql) {
    return State(direct_.TryQuery("SET search_path = " + quoted_ + "; " + sql).status());
  };
  EXPECT_EQ(state("UPDATE key_ranges SET lower = '{7}' WHERE range = 'r1'"), "23514");
  EXPECT_EQ(state("DELETE FROM key_ranges WHERE range = 'r1'"), "23514");
  EXPECT_EQ(state("UPDATE key_ranges SET lower = '{}' WHERE range = 'r2'"), "23505");
  EXPECT_EQ(state("UPDATE key_ranges SET owner = 'x'"), "23503");
  EXPECT_EQ(state("DELETE FROM shards"), "23503");
  EXPECT_EQ(state("DELETE FROM distributions"), "23503");
  EXPECT_EQ(state("INSERT INTO tables VALUES ('public', 't', 'sharded', NULL)"), "23514");
  EXPECT_EQ(state("INSERT INTO tables VALUES ('public', 't', 'sharded', 'x')"), "23503");
  EXPECT_EQ(state("INSERT INTO epoch VALUES (true, 9)"), "23505");
  EXPECT_EQ(state("DELETE FROM key_ranges"), "");
}

// Two stores change at once: every change happens, each under an epoch of its own.
TEST_F(CatalogStoreTest, ConcurrentChangesHappenOneAfterTheOther) {
  constexpr int kChanges = 25;
  std::vector<std::vector<uint64_t>> epochs(2);
  const auto work = [&](int worker) {
    CatalogStore store(Options(Cluster(), schema_));
    for (int i = 0; i < kChanges; ++i) {
      auto map = store.Change({"me", "x"}, [&](MapDraft& draft) {
        return AddShard(draft, fmt::format("s{}_{}", worker, i));
      });
      ASSERT_TRUE(map.ok()) << map.status();
      epochs[worker].push_back((*map)->epoch().value);
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  std::set<uint64_t> all;
  for (const auto& own : epochs) {
    EXPECT_TRUE(std::is_sorted(own.begin(), own.end()));
    all.insert(own.begin(), own.end());
  }
  EXPECT_EQ(all.size(), 2u * kChanges);
  EXPECT_EQ(*all.rbegin(), 1u + 2 * kChanges);
  EXPECT_EQ((*store_.Load())->shards().size(), 2u * kChanges);
}

TEST_F(CatalogStoreTest, SurvivesTheEndOfItsConnection) {
  ASSERT_TRUE(store_.Load().ok());
  direct_.Query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
  auto map = store_.Change({"me", "x"}, [](MapDraft& draft) { return AddShard(draft, "a"); });
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ((*map)->epoch(), Epoch{2});
}

TEST_F(CatalogStoreTest, ShardWorkIsForOneAtATime) {
  CatalogStore other(Options(Cluster(), schema_));
  ASSERT_TRUE(store_.LockShardWork().ok());
  EXPECT_EQ(State(other.LockShardWork()), "55006");
  store_.UnlockShardWork();
  EXPECT_TRUE(other.LockShardWork().ok());
}

TEST(CatalogStoreDown, ErrorsAreClearAndItComesBack) {
  PgCluster cluster;
  CatalogOptions options = Options(cluster);
  options.target.password = "s3cret";
  CatalogStore store(options);
  ASSERT_TRUE(store.Migrate().ok());
  cluster.Stop();
  const absl::Status down = store.Load().status();
  EXPECT_EQ(State(down), "08006");
  EXPECT_THAT(ToSqlError(down).message, testing::Not(testing::HasSubstr("s3cret")));
  EXPECT_EQ(State(store.Change({"me", "x"}, [](MapDraft&) { return absl::OkStatus(); }).status()),
            "08006");
  cluster.Start();
  EXPECT_TRUE(store.Load().ok());
}

}  // namespace
}  // namespace meridian
