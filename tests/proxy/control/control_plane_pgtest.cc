#include "proxy/control/control_plane.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>

#include "sharding/admin/parser.h"
#include "sharding/sql_status.h"
#include "tests/proxy/control/control_cluster.h"

namespace meridian {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

// Keeps what it was told, and checks the order.
class Recorder : public SnapshotListener {
 public:
  void OnSnapshot(std::shared_ptr<const Snapshot> snapshot) override {
    const std::lock_guard lock(mu_);
    EXPECT_EQ(snapshot->version, last_ == nullptr ? 1 : last_->version + 1);
    EXPECT_EQ(snapshot->nodes->shards.size(), snapshot->map->shards().size());
    EXPECT_EQ(snapshot->slots.size(), snapshot->map->shards().size());
    last_ = std::move(snapshot);
  }
  std::shared_ptr<const Snapshot> last() const {
    const std::lock_guard lock(mu_);
    return last_;
  }

 private:
  mutable std::mutex mu_;
  std::shared_ptr<const Snapshot> last_;
};

class NoTransactions : public OpenTransactions {
 public:
  std::vector<OpenTransaction> OnSeveralShards() override { return {}; }
  std::optional<MapsInUse> Maps() override { return std::nullopt; }
  RangeUseReport TakeUse() override { return {}; }
  void CancelDeadlocked(uint64_t, uint64_t, std::string) override {}
};

// A proxy's control threads over a catalog and two shards, all on servers of the test's own.
class ControlPlaneTest : public testing::Test {
 protected:
  static constexpr auto kPatience = 30s;

  ControlSettings Settings() {
    ControlSettings settings;
    settings.catalog.target = TargetOn(catalog_);
    settings.shards = ControlAccess();
    settings.node_check_interval = 20ms;
    settings.catalog_poll_interval = 200ms;
    settings.schema_poll_interval = 1h;
    settings.role_poll_interval = 1h;
    settings.role_refresh_interval_min = 1ms;
    settings.start_timeout = 10s;
    return settings;
  }

  std::unique_ptr<ControlPlane> Make(ControlSettings settings) {
    return std::make_unique<ControlPlane>(std::move(settings), recorder_, no_transactions_,
                                          metrics_);
  }
  void StartPlane() {
    plane_ = Make(Settings());
    const absl::Status started = plane_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }

  CommandReply RunOn(ControlPlane& plane, const std::string& text) {
    auto statements = ParseAdmin(text);
    EXPECT_TRUE(statements.ok()) << statements.status();
    auto promise = std::make_shared<std::promise<CommandReply>>();
    plane.Submit((*statements)[0].command, text, "tester",
                 [promise](CommandReply reply) { promise->set_value(std::move(reply)); });
    auto future = promise->get_future();
    EXPECT_EQ(future.wait_for(kPatience), std::future_status::ready);
    return future.get();
  }
  // The tag, or SQLSTATE and message.
  std::string Run(const std::string& text) {
    const CommandReply reply = RunOn(*plane_, text);
    if (reply.result.ok()) return reply.result->tag;
    const SqlError error = ToSqlError(reply.result.status());
    return error.sqlstate + " " + error.message;
  }
  std::string CreateShard(const std::string& name, const PgCluster& server) {
    return Run(
        fmt::format("CREATE SHARD {} OPTIONS (HOST '{}')", name, AddressOf(server).ToString()));
  }

  using Refresh = void (ControlPlane::*)(std::function<void(absl::Status)>);
  absl::Status Await(Refresh refresh) {
    std::promise<absl::Status> promise;
    (plane_.get()->*refresh)([&](absl::Status status) { promise.set_value(std::move(status)); });
    return promise.get_future().get();
  }

  PgCluster catalog_, shard_;
  MetricsRegistry metrics_;
  NoTransactions no_transactions_;
  Recorder recorder_;
  std::unique_ptr<ControlPlane> plane_;
};

TEST_F(ControlPlaneTest, FromABrandNewCatalogToAServingCluster) {
  shard_.Connect().Query("CREATE TABLE t (id bigint PRIMARY KEY); CREATE ROLE app LOGIN");
  StartPlane();
  EXPECT_FALSE(recorder_.last()->Serves());
  EXPECT_TRUE(plane_->status().catalog_connected);

  // Whoever is answered finds the effect in the snapshot.
  EXPECT_EQ(CreateShard("s1", shard_), "CREATE SHARD");
  std::shared_ptr<const Snapshot> now = recorder_.last();
  EXPECT_TRUE(now->Serves());
  EXPECT_NE(now->nodes->of(ShardIndex{0}).Primary(), nullptr);
  EXPECT_NE(now->roles->Find("app"), nullptr);
  EXPECT_NE(now->schema->Find("public", "t"), nullptr);
  EXPECT_EQ(now->database, "postgres");
  EXPECT_EQ(std::to_string(now->schema->server_version_num()),
            shard_.Connect().Value("SHOW server_version_num"));

  EXPECT_EQ(CreateShard("s2", catalog_), "CREATE SHARD");
  EXPECT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "CREATE DISTRIBUTION");
  EXPECT_EQ(Run("ALTER DISTRIBUTION d ATTACH TABLE t DISTRIBUTION KEY id"), "ALTER DISTRIBUTION");
  EXPECT_NE(recorder_.last()->map->FindTable("public", "t"), nullptr);
  EXPECT_EQ(catalog_.Connect().Value("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(metrics_.process().shards.Get(), 2);
  EXPECT_EQ(metrics_.process().catalog_epoch.Get(),
            static_cast<int64_t>(recorder_.last()->map->epoch().value));

  EXPECT_THAT(Run("DROP SHARD nowhere"), HasSubstr("42704"));
  EXPECT_EQ(now->map->shards().size(), 1u);  // a snapshot never changes
}

TEST_F(ControlPlaneTest, AnotherProxysChangesArrive) {
  StartPlane();
  EXPECT_EQ(CreateShard("s1", shard_), "CREATE SHARD");
  Recorder other_recorder;
  MetricsRegistry other_metrics;
  ControlPlane other(Settings(), other_recorder, no_transactions_, other_metrics);
  ASSERT_TRUE(other.Start().ok());
  EXPECT_TRUE(other_recorder.last()->Serves());
  EXPECT_TRUE(RunOn(other, "CREATE DISTRIBUTION d COLUMN TYPES bigint HASH").result.ok());
  EXPECT_TRUE(Eventually([&] { return recorder_.last()->map->FindDistribution("d") != nullptr; }));
}

TEST_F(ControlPlaneTest, ARefreshReadsWhatWasCommittedBeforeIt) {
  StartPlane();
  EXPECT_EQ(CreateShard("s1", shard_), "CREATE SHARD");
  Connection sql = shard_.Connect();
  for (int i = 0; i < 5; ++i) {
    const uint64_t version = recorder_.last()->schema->version();
    sql.Query(fmt::format("CREATE TABLE made{} (id int)", i));
    ASSERT_TRUE(Await(&ControlPlane::RequestSchemaRefresh).ok());
    EXPECT_NE(recorder_.last()->schema->Find("public", fmt::format("made{}", i)), nullptr);
    EXPECT_EQ(recorder_.last()->schema->version(), version + 1);
  }
  const uint64_t snapshot = recorder_.last()->version;
  ASSERT_TRUE(Await(&ControlPlane::RequestSchemaRefresh).ok());
  EXPECT_EQ(recorder_.last()->version, snapshot);

  sql.Query("CREATE ROLE late LOGIN PASSWORD 'x'");
  EXPECT_EQ(recorder_.last()->roles->Find("late"), nullptr);
  ASSERT_TRUE(Await(&ControlPlane::RequestRoleRefresh).ok());
  EXPECT_NE(recorder_.last()->roles->Find("late"), nullptr);
}

TEST_F(ControlPlaneTest, ReloadedIntervalsPoll) {
  StartPlane();
  EXPECT_EQ(CreateShard("s1", shard_), "CREATE SHARD");
  shard_.Connect().Query("CREATE TABLE polled (id int); CREATE ROLE polled");
  ControlSettings settings = Settings();
  settings.schema_poll_interval = 20ms;
  settings.role_poll_interval = 20ms;
  plane_->Reload(settings);
  EXPECT_TRUE(Eventually([&] {
    return recorder_.last()->schema->Find("public", "polled") != nullptr &&
           recorder_.last()->roles->Find("polled") != nullptr;
  }));
}

TEST_F(ControlPlaneTest, LosingTheCatalogStopsChangesOnly) {
  StartPlane();
  EXPECT_EQ(CreateShard("s1", shard_), "CREATE SHARD");
  catalog_.Stop();
  ASSERT_TRUE(Eventually([&] { return !plane_->status().catalog_connected; }));
  EXPECT_NE(plane_->status().catalog_error, "");
  EXPECT_EQ(metrics_.process().catalog_connected.Get(), 0);
  EXPECT_THAT(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), HasSubstr("08"));
  // What serves clients goes on.
  EXPECT_TRUE(recorder_.last()->Serves());
  shard_.Connect().Query("CREATE TABLE meanwhile (id int)");
  ASSERT_TRUE(Await(&ControlPlane::RequestSchemaRefresh).ok());
  EXPECT_NE(recorder_.last()->schema->Find("public", "meanwhile"), nullptr);

  catalog_.Start();
  ASSERT_TRUE(Eventually([&] { return plane_->status().catalog_connected; }));
  EXPECT_EQ(metrics_.process().catalog_connected.Get(), 1);
  EXPECT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "CREATE DISTRIBUTION");
}

TEST_F(ControlPlaneTest, FollowsAFailoverOfTheDefaultShard) {
  StartPlane();
  const std::unique_ptr<PgCluster> replica = MakeReplica(shard_);
  EXPECT_EQ(Run(fmt::format("CREATE SHARD s1 OPTIONS (HOST '{}', HOST '{}')",
                            AddressOf(shard_).ToString(), AddressOf(*replica).ToString())),
            "CREATE SHARD");
  shard_.Stop();
  ASSERT_TRUE(
      Eventually([&] { return !recorder_.last()->nodes->of(ShardIndex{0}).last_error.empty(); }));
  EXPECT_EQ(ToSqlError(Await(&ControlPlane::RequestSchemaRefresh)).sqlstate, "08006");
  EXPECT_NE(plane_->status().schema_error, "");
  replica->Connect().Query("SELECT pg_promote()");
  // Without a request: the new primary is read because it is new.
  EXPECT_TRUE(Eventually([&] {
    return recorder_.last()->nodes->of(ShardIndex{0}).primary == 1u &&
           plane_->status().schema_error.empty();
  }));
  replica->Connect().Query("CREATE TABLE after_failover (id int)");
  EXPECT_TRUE(Await(&ControlPlane::RequestSchemaRefresh).ok());
  EXPECT_NE(recorder_.last()->schema->Find("public", "after_failover"), nullptr);
}

TEST_F(ControlPlaneTest, StartTellsWhyTheCatalogCannotBeRead) {
  ControlSettings settings = Settings();
  settings.start_timeout = 300ms;
  settings.catalog.target.dbname = "nowhere";
  const auto plane = Make(settings);
  const absl::Status started = plane->Start();
  EXPECT_EQ(ToSqlError(started).sqlstate, "08006");
  EXPECT_THAT(ToSqlError(started).message, HasSubstr("database \"nowhere\" does not exist"));
}

TEST_F(ControlPlaneTest, StartWaitsForTheCatalog) {
  catalog_.Stop();
  plane_ = Make(Settings());
  auto started = std::async(std::launch::async, [&] { return plane_->Start(); });
  EXPECT_EQ(started.wait_for(300ms), std::future_status::timeout);
  catalog_.Start();
  EXPECT_TRUE(started.get().ok());
}

TEST_F(ControlPlaneTest, StartsWithADeadDefaultShardSoThatItCanBeRepaired) {
  StartPlane();
  const std::unique_ptr<PgCluster> replica = MakeReplica(shard_);
  EXPECT_EQ(CreateShard("s1", shard_), "CREATE SHARD");
  plane_->Stop();
  shard_.Stop();
  replica->Connect().Query("SELECT pg_promote()");
  ControlSettings settings = Settings();
  settings.start_timeout = 500ms;
  Recorder recorder;
  ControlPlane again(settings, recorder, no_transactions_, metrics_);
  ASSERT_TRUE(again.Start().ok());
  EXPECT_FALSE(recorder.last()->Serves());
  const CommandReply reply =
      RunOn(again, fmt::format("ALTER SHARD s1 ADD HOST '{}'", AddressOf(*replica).ToString()));
  EXPECT_TRUE(reply.result.ok()) << reply.result.status();
  EXPECT_TRUE(Eventually([&] { return recorder.last()->Serves(); }));
}

TEST_F(ControlPlaneTest, StopIsQuickAndAnswersWhatComesLater) {
  StartPlane();
  EXPECT_EQ(CreateShard("s1", shard_), "CREATE SHARD");
  // The schema is being read and does not come to an end: the lock blocks nothing else.
  Connection blocker = shard_.Connect();
  blocker.Query("BEGIN");
  blocker.Query("LOCK TABLE pg_catalog.pg_aggregate IN ACCESS EXCLUSIVE MODE");
  std::promise<absl::Status> refreshed;
  plane_->RequestSchemaRefresh([&](absl::Status status) { refreshed.set_value(status); });
  std::this_thread::sleep_for(100ms);
  const auto start = steady_clock::now();
  plane_->Stop();
  EXPECT_LT(steady_clock::now() - start, 5s);
  EXPECT_EQ(ToSqlError(refreshed.get_future().get()).sqlstate, "57P01");
  EXPECT_THAT(Run("DROP SHARD s1"), HasSubstr("57P01"));
  EXPECT_EQ(ToSqlError(Await(&ControlPlane::RequestRoleRefresh)).sqlstate, "57P01");
  plane_->Stop();
}

TEST_F(ControlPlaneTest, TooManyCommandsAreRefused) {
  StartPlane();
  // The first command waits for the epoch's row, the others for it.
  Connection blocker = catalog_.Connect();
  blocker.Query("BEGIN");
  blocker.Query("LOCK TABLE meridian.epoch");
  std::atomic<int> refused{0};
  std::atomic<int> done{0};
  for (size_t i = 0; i < ControlPlane::kCommandsWaitingMax + 2; ++i) {
    plane_->Submit(CreateDistribution{.name = fmt::format("d{}", i), .columns = {}, .shards = {}},
                   "", "tester", [&](CommandReply reply) {
                     ++done;
                     if (ToSqlError(reply.result.status()).sqlstate == "53300") ++refused;
                   });
  }
  EXPECT_GE(refused, 1);
  blocker.Query("ROLLBACK");
  EXPECT_TRUE(
      Eventually([&] { return done == static_cast<int>(ControlPlane::kCommandsWaitingMax) + 2; }));
  EXPECT_LE(refused, 2);
}

}  // namespace
}  // namespace meridian
