#include "proxy/control/shard_recovery.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/control/control_settings.h"
#include "proxy/control/transaction_name.h"
#include "sharding/catalog/shard_support.h"
#include "sharding/sql_status.h"
#include "tests/proxy/control/control_cluster.h"

namespace meridian {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kThis[] = "0123456789abcdef";
constexpr char kOther[] = "fedcba9876543210";
constexpr int kShards = 5;

// One server; each shard is a database of it.
class ShardRecoveryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new PgCluster;
    auto postgres = server_->Connect();
    for (int shard = 1; shard <= kShards; ++shard) {
      const std::string name = fmt::format("s{}", shard);
      postgres.Query("CREATE DATABASE " + name);
      auto connection = PgConnection::Connect(TargetOn(*server_, "postgres", name));
      ASSERT_TRUE(connection.ok() && EnsureShardSupport(*connection).ok());
      server_->Connect(name).Query("CREATE TABLE t (k text)");
    }
  }
  static void TearDownTestSuite() { delete server_; }

  void TearDown() override {
    for (int shard = 1; shard <= kShards; ++shard) {
      const std::string name = fmt::format("s{}", shard);
      for (const std::string& left : Prepared(name)) {
        Sql(name).Query("ROLLBACK PREPARED '" + left + "'");
      }
    }
  }

  ShardRecoveryTest() {
    std::vector<Shard> shards;
    NodeStates nodes;
    for (int shard = 1; shard <= kShards; ++shard) {
      const std::string name = fmt::format("s{}", shard);
      shards.push_back({name, {AddressOf(*server_)}, name});
      NodeState node;
      node.address = AddressOf(*server_);
      nodes.shards.push_back({.nodes = {node}, .primary = 0, .replicas = {}, .last_error = {}});
      Sql(name).Query("TRUNCATE t, meridian.decisions");
    }
    snapshot_.map = *ShardMap::Build(Epoch{1}, std::move(shards), {}, {});
    snapshot_.nodes = std::make_shared<const NodeStates>(std::move(nodes));
  }

  static Connection Sql(const std::string& shard) { return server_->Connect(shard); }

  static std::string Name(uint64_t number, const std::string& lead,
                          const std::string& proxy = kThis) {
    return TransactionName{proxy, 0, number, ShardToken(lead)}.ToString();
  }

  // A transaction with that name is prepared on the shard: it inserts its name into t.
  static void Prepare(const std::string& shard, const std::string& name) {
    Sql(shard).Query(
        fmt::format("BEGIN; INSERT INTO t VALUES ('{0}'); PREPARE TRANSACTION '{0}'", name));
  }
  static void Decide(const std::string& lead, const std::string& name) {
    Sql(lead).Query(fmt::format("SELECT meridian.decide('{}')", name));
  }

  static std::vector<std::string> Column(const std::string& shard, const std::string& sql) {
    std::vector<std::string> values;
    for (const auto& row : Sql(shard).Query(sql).rows) values.push_back(row[0].value());
    return values;
  }
  static std::vector<std::string> Rows(const std::string& shard) {
    return Column(shard, "SELECT k FROM t ORDER BY k");
  }
  static std::vector<std::string> Prepared(const std::string& shard) {
    return Column(shard, "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()");
  }
  static std::vector<std::string> Records(const std::string& shard) {
    return Column(shard, "SELECT name FROM meridian.decisions ORDER BY name");
  }

  ShardRecovery RecoveryOf(const std::string& shard) {
    return ShardRecovery(ControlAccess(), shard, kThis, in_flight_, board_);
  }
  ShardRecovery::Finished Round(ShardRecovery& recovery) {
    const auto finished = recovery.Round(snapshot_);
    EXPECT_TRUE(finished.ok()) << finished.status();
    return finished.ok() ? *finished : ShardRecovery::Finished{};
  }

  static PgCluster* server_;
  Snapshot snapshot_;
  TransactionsInFlight in_flight_;
  PreparedBoard board_;
};

PgCluster* ShardRecoveryTest::server_ = nullptr;

// Connections to many leads come while the one to the shard is in use.
TEST_F(ShardRecoveryTest, FollowsTheRecordsOfManyLeads) {
  std::vector<std::string> decided;
  for (const uint64_t round : {1, 2}) {
    for (int lead = 2; lead <= kShards; ++lead) {
      const std::string shard = fmt::format("s{}", lead);
      const std::string committed = Name(round * 100 + lead, shard);
      Prepare("s1", committed);
      Decide(shard, committed);
      decided.push_back(committed);
      Prepare("s1", Name(round * 100 + 50 + lead, shard));
    }
  }
  ShardRecovery recovery = RecoveryOf("s1");
  const auto finished = Round(recovery);
  EXPECT_EQ(finished.committed, 8u);
  EXPECT_EQ(finished.rolled_back, 8u);
  EXPECT_THAT(Rows("s1"), ::testing::UnorderedElementsAreArray(decided));
  EXPECT_THAT(Prepared("s1"), IsEmpty());
  EXPECT_THAT(board_.All(), IsEmpty());
  // Who comes late cannot decide otherwise.
  for (int lead = 2; lead <= kShards; ++lead) {
    const std::string shard = fmt::format("s{}", lead);
    const auto late =
        Sql(shard).TryQuery(fmt::format("SELECT meridian.decide('{}')", Name(150 + lead, shard)));
    EXPECT_EQ(ToSqlError(late.status()).sqlstate, "23505");
  }
}

TEST_F(ShardRecoveryTest, LeavesAloneWhatSomebodyIsCommitting) {
  const auto living = Connection(server_->ConnInfo("s2") + " application_name='" +
                                 kRecoveryApplicationName + kOther + "'");
  const std::string own = Name(1, "s2");
  const std::string others = Name(2, "s2", kOther);
  const std::string young = Name(3, "s2", "0000000000000000");
  for (const auto& name : {own, others, young, std::string("meridian_of_somebody_else")}) {
    Prepare("s1", name);
  }
  in_flight_.Add(own);
  ShardRecovery recovery = RecoveryOf("s1");
  EXPECT_EQ(Round(recovery).rolled_back, 0u);
  const auto waits = [](const std::string& name, const char* why) {
    return AllOf(Field(&PreparedTransaction::name, name), Field(&PreparedTransaction::why, why),
                 Field(&PreparedTransaction::in_doubt, false));
  };
  EXPECT_THAT(board_.All(), ElementsAre(waits(young, "its proxy may be back in a moment"),
                                        waits(own, "this proxy is committing it"),
                                        waits(others, "another proxy is committing it")));
  EXPECT_THAT(Records("s2"), IsEmpty());
  in_flight_.Remove(own);
  EXPECT_EQ(Round(recovery).rolled_back, 1u);
  EXPECT_THAT(Records("s2"), ElementsAre(own));
}

TEST_F(ShardRecoveryTest, WaitsForALeadThatIsNotThere) {
  const std::string name = Name(1, "gone");
  Prepare("s1", name);
  ShardRecovery recovery = RecoveryOf("s1");
  EXPECT_EQ(Round(recovery).rolled_back, 0u);
  ASSERT_THAT(board_.All(), ElementsAre(Field(&PreparedTransaction::in_doubt, true)));
  EXPECT_EQ(board_.All()[0].why, "its lead shard \"gone\" is not in the map");
  EXPECT_THAT(Prepared("s1"), ElementsAre(name));
}

TEST_F(ShardRecoveryTest, IsNotHeldUpByALeadThatHasNotDecidedYet) {
  const std::string undecided = Name(1, "s2");
  const std::string decided = Name(2, "s3");
  Prepare("s1", undecided);
  Prepare("s1", decided);
  Decide("s3", decided);
  auto lead = Sql("s2");
  lead.Query(fmt::format("BEGIN; SELECT meridian.decide('{}')", undecided));
  ShardRecovery recovery = RecoveryOf("s1");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Round(recovery).committed, 1u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  EXPECT_THAT(Rows("s1"), ElementsAre(decided));
  ASSERT_THAT(board_.All(), ElementsAre(Field(&PreparedTransaction::in_doubt, true)));
  EXPECT_EQ(board_.All()[0].why, "its lead, shard \"s2\", has not decided yet");
  lead.Query("COMMIT");
  EXPECT_EQ(Round(recovery).committed, 1u);
  EXPECT_THAT(Rows("s1"), ElementsAre(undecided, decided));
}

class RecordsTest : public ShardRecoveryTest {
 protected:
  // What all shards have is known, as it is after one look at each of them.
  void LookAtAll() {
    for (const Shard& shard : snapshot_.map->shards()) {
      ShardRecovery recovery = RecoveryOf(shard.name);
      Round(recovery);
    }
  }
  // One look by a recovery that has not pruned yet.
  void Prune(const std::string& shard, std::chrono::milliseconds kept) {
    ShardRecovery recovery(ControlAccess(), shard, kThis, in_flight_, board_, kept);
    Round(recovery);
  }
  static void Age(const std::string& shard) {
    Sql(shard).Query("UPDATE meridian.decisions SET decided_at = decided_at - interval '61 min'");
  }
};

TEST_F(RecordsTest, GoAnHourAfterNobodyNeedsThem) {
  const std::string needed = Name(1, "s1");
  const std::string old = Name(2, "s1");
  const std::string young = Name(3, "s1");
  in_flight_.Add(needed);
  Prepare("s2", needed);
  Decide("s1", needed);
  Decide("s1", old);
  Age("s1");
  Decide("s1", young);
  LookAtAll();
  EXPECT_THAT(Records("s1"), ElementsAre(needed, old, young)) << "s1 was asked before the others";
  Prune("s1", ShardRecovery::kRecordsKept);
  EXPECT_THAT(Records("s1"), ElementsAre(needed, young));
  in_flight_.Remove(needed);
  LookAtAll();
  EXPECT_THAT(Rows("s2"), ElementsAre(needed));
  Prune("s1", ShardRecovery::kRecordsKept);
  EXPECT_THAT(Records("s1"), ElementsAre(young));
}

// Not as the BEGIN of a long transaction.
TEST_F(RecordsTest, AreAsOldAsTheDecision) {
  const std::string name = Name(1, "s1");
  auto lead = Sql("s1");
  lead.Query("BEGIN");
  lead.Query("SELECT pg_sleep(0.01)");
  lead.Query(fmt::format("SELECT meridian.decide('{}')", name));
  EXPECT_EQ(lead.Query("SELECT decided_at - now() >= '10 ms' FROM meridian.decisions").at(0, 0),
            "t");
  lead.Query("COMMIT");
}

TEST_F(RecordsTest, StayWhileAShardCannotBeAsked) {
  Decide("s1", Name(1, "s1"));
  Age("s1");
  for (const char* shard : {"s1", "s2", "s3", "s4"}) Prune(shard, ShardRecovery::kRecordsKept);
  Prune("s1", ShardRecovery::kRecordsKept);
  EXPECT_THAT(Records("s1"), ElementsAre(Name(1, "s1"))) << "s5 may have it prepared";
}

// A record of ours that says "rolled back" stops the lead's own transaction, should it live.
TEST_F(RecordsTest, OfARollbackStayWhileTheLeadMayRun) {
  auto lead = Sql("s1");
  lead.Query("BEGIN");
  const std::string rolled_back = Name(1, "s1");
  Sql("s1").Query(fmt::format("SELECT meridian.resolve('{}', 'postgres')", rolled_back));
  auto later = Sql("s1");
  later.Query("BEGIN");
  Decide("s1", Name(2, "s1"));
  LookAtAll();
  Prune("s1", 0ms);
  EXPECT_THAT(Records("s1"), ElementsAre(rolled_back));
  const auto decided = lead.TryQuery(fmt::format("SELECT meridian.decide('{}')", rolled_back));
  EXPECT_EQ(ToSqlError(decided.status()).sqlstate, "23505");
  lead.Query("ROLLBACK");
  Prune("s1", 0ms);
  EXPECT_THAT(Records("s1"), IsEmpty()) << "the other one began after it";
}

}  // namespace
}  // namespace meridian
