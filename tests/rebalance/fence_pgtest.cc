// The fence and the digests, on real servers, while others write.
#include "rebalance/fence.h"

#include <atomic>
#include <random>

#include "rebalance/digest.h"
#include "tests/rebalance/stream/slice_fixture.h"

namespace meridian::slice_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FenceTest : public SliceTest {
 protected:
  Fence FenceFor(const std::vector<std::pair<std::string, std::string>>& tables) {
    Fence fence{.name = kName, .tables = {}, .range = "middle", .new_owner = "s2"};
    for (const auto& [table, key] : tables) {
      fence.tables.push_back(FenceOf({.name = {"public", table},
                                      .kind = MappedTable::Kind::kSharded,
                                      .distribution = 0,
                                      .key_columns = {key}},
                                     *distribution_, 1));
    }
    return fence;
  }

  static absl::Status Arm(PgConnection& source, const Fence& fence, std::string_view barrier) {
    return ArmFence(source, fence, barrier, milliseconds(50), [] { return absl::OkStatus(); });
  }

  std::string StateOf(Connection& connection, const std::string& sql) {
    return State(connection.TryQuery(sql).status());
  }
};

TEST_F(FenceTest, RefusesWritesToTheRangeAlone) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v int)");
  AtSource().Query("INSERT INTO t SELECT i, 0 FROM generate_series(500, 2500) i");
  Distribute({{"t", "k"}});
  const Fence fence = FenceFor({{"t", "k"}});
  auto source = *PgConnection::Connect(source_);
  Connection client = AtSource();
  for (int i = 0; i < 2; ++i) {
    const absl::Status raised = RaiseFence(source, fence, seconds(5));
    ASSERT_TRUE(raised.ok()) << raised;
    EXPECT_EQ(StateOf(client, "UPDATE t SET v = 1 WHERE k = 1000"), "");
    EXPECT_EQ(StateOf(client, "TRUNCATE t"), "55006");
    const absl::Status armed = Arm(source, fence, "b");
    ASSERT_TRUE(armed.ok()) << armed;
    EXPECT_EQ(StateOf(client, "UPDATE t SET v = 1 WHERE k = 1000"), sqlstate::kRangeHasMoved);
  }
  for (const char* const sql :
       {"INSERT INTO t VALUES (1500, 1)", "UPDATE t SET v = 1 WHERE k = 1000", "UPDATE t SET v = 1",
        "DELETE FROM t WHERE k = 1999", "UPDATE t SET k = 5000 WHERE k = 1500",
        "UPDATE t SET k = 1500 WHERE k = 600"}) {
    EXPECT_EQ(StateOf(client, sql), sqlstate::kRangeHasMoved) << sql;
  }
  for (const char* const sql :
       {"INSERT INTO t VALUES (1, 1)", "UPDATE t SET v = 1 WHERE k = 999 OR k >= 2000",
        "DELETE FROM t WHERE k = 2000", "UPDATE t SET k = 5000 WHERE k = 600"}) {
    EXPECT_EQ(StateOf(client, sql), "") << sql;
  }
  client.Query("SET session_replication_role = replica");  // as what applies a stream of changes
  EXPECT_EQ(StateOf(client, "UPDATE t SET v = 2 WHERE k = 1500"), "");
  client.Query("RESET session_replication_role");
  EXPECT_EQ(StateOf(client, "TRUNCATE t"), "55006");
  ASSERT_TRUE(OpenFence(source, fence).ok());
  EXPECT_EQ(StateOf(client, "UPDATE t SET v = 3"), "");
  ASSERT_TRUE(Arm(source, fence, "b").ok());
  ASSERT_TRUE(DropFence(source, fence, seconds(5)).ok());
  ASSERT_TRUE(DropFence(source, fence, seconds(5)).ok());
  ASSERT_TRUE(OpenFence(source, fence).ok());
  EXPECT_EQ(StateOf(client, "UPDATE t SET v = 1"), "");
  EXPECT_EQ(AtSource().Value("SELECT count(*) FROM pg_class WHERE relname LIKE 'meridian_move%'"),
            "0");
}

TEST_F(FenceTest, SeveralTablesAndPartitions) {
  OnBoth(
      "CREATE TABLE \"Odd one\" (\"Key\" bigint PRIMARY KEY);"
      "CREATE TABLE p (c bigint, o int, PRIMARY KEY (c, o)) PARTITION BY RANGE (o);"
      "CREATE TABLE p_0 PARTITION OF p FOR VALUES FROM (0) TO (10)");
  Distribute({{"Odd one", "Key"}, {"p", "c"}});
  auto source = *PgConnection::Connect(source_);
  const Fence fence = FenceFor({{"Odd one", "Key"}, {"p", "c"}});
  ASSERT_TRUE(RaiseFence(source, fence, seconds(5)).ok());
  ASSERT_TRUE(Arm(source, fence, "b").ok());
  Connection client = AtSource();
  for (const char* const sql :
       {"INSERT INTO \"Odd one\" VALUES (1500)", "INSERT INTO p VALUES (1500, 1)",
        "INSERT INTO p_0 VALUES (1500, 1)"}) {
    EXPECT_EQ(StateOf(client, sql), sqlstate::kRangeHasMoved) << sql;
  }
  EXPECT_EQ(StateOf(client, "INSERT INTO p_0 VALUES (15, 1)"), "");
}

TEST_F(FenceTest, WaitsForThoseWhoHaveWrittenToTheRange) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v int)");
  Distribute({{"t", "k"}});
  const Fence fence = FenceFor({{"t", "k"}});
  auto source = *PgConnection::Connect(source_);
  Connection writer = AtSource();
  Connection other = AtSource();
  writer.Query("BEGIN");
  writer.Query("INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(State(RaiseFence(source, fence, milliseconds(50))), "55P03");
  EXPECT_EQ(AtSource().Value("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"), "0");
  writer.Query("COMMIT");
  ASSERT_TRUE(RaiseFence(source, fence, milliseconds(50)).ok());
  other.Query("BEGIN");  // of other ranges
  other.Query("INSERT INTO t VALUES (2, 1)");
  writer.Query("BEGIN");
  writer.Query("INSERT INTO t VALUES (1500, 1)");
  EXPECT_EQ(State(Arm(source, fence, "b")), "55P03");
  EXPECT_EQ(StateOf(other, "INSERT INTO t VALUES (1501, 1)"), "");
  other.Query("COMMIT");
  other.Query("BEGIN");
  other.Query("INSERT INTO t VALUES (3, 1)");
  writer.Query("COMMIT");
  EXPECT_EQ(State(Arm(source, fence, "b")), "");
  EXPECT_EQ(StateOf(other, "COMMIT"), "");
}

// A snapshot from before does not show that it is armed; a prepared transaction is one that has
// written.
TEST_F(FenceTest, OldSnapshotsAndPreparedTransactions) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v int)");
  AtSource().Query("INSERT INTO t VALUES (1500, 0), (1501, 0)");
  Distribute({{"t", "k"}});
  const Fence fence = FenceFor({{"t", "k"}});
  auto source = *PgConnection::Connect(source_);
  ASSERT_TRUE(RaiseFence(source, fence, seconds(5)).ok());
  Connection prepared = AtSource();
  prepared.Query("BEGIN");
  prepared.Query("UPDATE t SET v = 1 WHERE k = 1500");
  prepared.Query("PREPARE TRANSACTION 'x'");
  EXPECT_EQ(State(Arm(source, fence, "b")), "55P03");
  prepared.Query("COMMIT PREPARED 'x'");
  Connection old = AtSource();
  old.Query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_EQ(old.Value("SELECT v FROM t WHERE k = 1501"), "0");
  ASSERT_TRUE(Arm(source, fence, "b").ok());
  EXPECT_EQ(StateOf(old, "UPDATE t SET v = 1 WHERE k = 1501"), sqlstate::kRangeHasMoved);
}

TEST_F(FenceTest, ANotArmedFenceIsOpen) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v int)");
  Distribute({{"t", "k"}});
  const Fence fence = FenceFor({{"t", "k"}});
  auto source = *PgConnection::Connect(source_);
  ASSERT_TRUE(RaiseFence(source, fence, seconds(5)).ok());
  const absl::Status refused =
      ArmFence(source, fence, "b", seconds(5), [] { return SqlStatus("55000", "no"); });
  EXPECT_EQ(State(refused), "55000");
  Connection client = AtSource();
  EXPECT_EQ(StateOf(client, "INSERT INTO t VALUES (1500, 1)"), "");
}

// Nothing of the range is written behind the barrier, and all that was acknowledged before it is at
// the target: so the owner can change there and then.
TEST_F(FenceTest, TheBarrierIsExactWhileOthersWrite) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v int)");
  AtSource().Query("INSERT INTO t SELECT i, 0 FROM generate_series(900, 2100) i");
  Distribute({{"t", "k"}});
  std::atomic<bool> stop = false;
  std::atomic<int> refused = 0, acknowledged = 0;
  std::vector<std::thread> writers;
  for (unsigned w = 0; w < 3; ++w) {
    writers.emplace_back([&, w] {
      Connection client = AtSource();
      std::mt19937 random(w);
      while (!stop) {
        const int k = 900 + static_cast<int>(random() % 1200);
        const std::string state =
            StateOf(client, "UPDATE t SET v = v + 1 WHERE k = " + std::to_string(k));
        if (state == sqlstate::kRangeHasMoved) ++refused;
        if (state.empty() && k >= 1000 && k < 2000) ++acknowledged;
      }
    });
  }
  Copy();
  BeginToFollow();
  EXPECT_FALSE(*follower_->Until("", steady_clock::now() + milliseconds(300)));
  auto source = *PgConnection::Connect(source_);
  const Fence fence = FenceFor({{"t", "k"}});
  while (State(RaiseFence(source, fence, milliseconds(20))) == "55P03") {
  }
  absl::Status armed;
  do {
    armed = Arm(source, fence, "fence 1");
  } while (State(armed) == "55P03");
  ASSERT_TRUE(armed.ok()) << armed;
  EXPECT_TRUE(*follower_->Until("fence 1", steady_clock::now() + seconds(20)));
  const std::string sum = "SELECT sum(v) FROM t WHERE " + tables_[0].condition;
  const std::string at_target = AtTarget().Value(sum);
  std::this_thread::sleep_for(milliseconds(200));
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_GT(refused, 0);
  EXPECT_EQ(at_target, std::to_string(acknowledged));
  EXPECT_EQ(AtSource().Value(sum), at_target);
  ExpectSameRows();
}

TEST_F(FenceTest, DigestsFindMissingExtraAndChangedRows) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v text, f float8)");
  AtSource().Query(
      "INSERT INTO t SELECT i, md5(i::text), i / 3.0 FROM generate_series(900, 2100) i");
  Distribute({{"t", "k"}});
  Copy();
  auto source = *OpenForRows(source_);
  auto target = *OpenForRows(target_);
  const auto differing = [&](const std::vector<uint32_t>& only = {}) {
    const auto a = DigestRows(source, tables_[0], 16, only);
    const auto b = DigestRows(target, tables_[0], 16, only);
    EXPECT_TRUE(a.ok() && b.ok()) << a.status() << b.status();
    return DifferingBuckets(*a, *b);
  };
  EXPECT_THAT(differing(), ElementsAre());
  AtSource().Query("UPDATE t SET v = 'outside' WHERE k < 1000");  // of other ranges: not looked at
  EXPECT_THAT(differing(), ElementsAre());
  for (const char* const damage :
       {"DELETE FROM t WHERE k = 1500", "INSERT INTO t VALUES (1500, 'other', 1)",
        "UPDATE t SET v = md5('1500'), f = 500.00000000000006 WHERE k = 1500"}) {
    AtTarget().Query(damage);
    const auto found = differing();
    ASSERT_EQ(found.size(), 1u) << damage;
    EXPECT_EQ(differing(found), found);
    EXPECT_THAT(differing({(found[0] + 1) % 16}), ElementsAre());
  }
  AtTarget().Query("UPDATE t SET f = 1500 / 3.0 WHERE k = 1500");
  EXPECT_THAT(differing(), ElementsAre());
}

}  // namespace
}  // namespace meridian::slice_test
