// The blocking connection: values, errors, timeouts, COPY.
#include "sharding/catalog/pg_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sharding/sql_status.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;

PgTarget Target() {
  static PgCluster cluster;
  PgTarget target;
  target.address = {"127.0.0.1", cluster.port()};
  target.dbname = "postgres";
  target.user = "postgres";
  return target;
}

PgConnection Open(const PgTarget& target = Target()) { return *PgConnection::Connect(target); }

std::string State(const absl::Status& status) {
  return status.ok() ? "" : ToSqlError(status).sqlstate;
}

TEST(PgConnection, GivesValues) {
  PgConnection connection = Open();
  auto result = connection.Query("SELECT $1::text, $2::int + 1, NULL", {{"a\"b", "41"}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->rows(), 1u);
  EXPECT_EQ(result->Get(0, 0), "a\"b");
  EXPECT_EQ(result->Text(0, 1), "42");
  EXPECT_EQ(result->Get(0, 2), std::nullopt);
  EXPECT_EQ(result->tag(), "SELECT 1");
  EXPECT_TRUE(connection.Query("SELECT $1::text", {{std::nullopt}})->Get(0, 0) == std::nullopt);
  EXPECT_EQ(connection.Script("SELECT 1; SELECT 2")->Text(0, 0), "2");
  EXPECT_EQ(connection.Query("SHOW application_name")->Text(0, 0), "meridian");
}

TEST(PgConnection, TellsTheServersErrors) {
  PgConnection connection = Open();
  const SqlError error = ToSqlError(connection.Query("SELECT * FROM nope").status());
  EXPECT_EQ(error.sqlstate, "42P01");
  EXPECT_EQ(error.message, "relation \"nope\" does not exist");
  EXPECT_FALSE(connection.broken());
  EXPECT_EQ(State(connection.Script("SELECT 1; SELECT 1/0; SELECT 2").status()), "22012");
  EXPECT_TRUE(connection.Query("SELECT 1").ok());
  EXPECT_EQ(State(connection.Query("COPY (SELECT 1) TO STDOUT").status()), "08P01");
  EXPECT_TRUE(connection.broken());
}

TEST(PgConnection, CannotConnect) {
  PgTarget target = Target();
  target.password = "s3cret";
  target.dbname = "nope";
  const absl::Status wrong = PgConnection::Connect(target).status();
  EXPECT_EQ(State(wrong), "08006");
  EXPECT_THAT(ToSqlError(wrong).message, testing::HasSubstr("nope"));
  EXPECT_THAT(ToSqlError(wrong).message, testing::Not(testing::HasSubstr("s3cret")));
  target.address.port = 1;
  EXPECT_EQ(State(PgConnection::Connect(target).status()), "08006");
}

TEST(PgConnection, TimesOut) {
  PgTarget target = Target();
  target.statement_timeout = milliseconds(100);
  PgConnection connection = Open(target);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(State(connection.Query("SELECT pg_sleep(30)").status()), "08006");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_TRUE(connection.broken());
  EXPECT_EQ(State(connection.Query("SELECT 1").status()), "08006");
}

TEST(PgConnection, IsLostWithItsBackend) {
  PgConnection connection = Open(), killer = Open();
  const std::string pid = std::to_string(connection.backend_pid());
  ASSERT_TRUE(killer.Query("SELECT pg_terminate_backend($1::int, 5000)", {{pid}}).ok());
  const absl::Status lost = connection.Query("SELECT 1").status();
  EXPECT_TRUE(IsConnectionLoss(lost)) << lost;
  EXPECT_TRUE(connection.broken());
  EXPECT_TRUE(IsConnectionLoss(connection.Query("SELECT 1").status()));
}

TEST(PgConnection, TransactionsEndEitherWay) {
  PgConnection connection = Open();
  ASSERT_TRUE(connection.Script("CREATE TEMP TABLE t (a int)").ok());
  EXPECT_TRUE(InTransaction(connection, "BEGIN", [&] {
                return connection.Script("INSERT INTO t VALUES (1)").status();
              }).ok());
  EXPECT_FALSE(InTransaction(connection, "BEGIN", [&]() -> absl::Status {
                 connection.Script("INSERT INTO t VALUES (2)").IgnoreError();
                 return absl::InternalError("x");
               }).ok());
  EXPECT_EQ(connection.Query("SELECT sum(a) FROM t")->Text(0, 0), "1");
}

TEST(PgConnection, ATransactionThatDidNotCommitIsAnError) {
  PgConnection connection = Open();
  EXPECT_EQ(State(InTransaction(connection, "BEGIN",
                                [&] {
                                  connection.Script("SELECT 1/0").IgnoreError();
                                  return absl::OkStatus();
                                })),
            "25P02");
  ASSERT_TRUE(connection
                  .Script("CREATE TEMP TABLE unique_late (x int UNIQUE DEFERRABLE INITIALLY "
                          "DEFERRED)")
                  .ok());
  EXPECT_EQ(
      State(InTransaction(
          connection, "BEGIN",
          [&] { return connection.Script("INSERT INTO unique_late VALUES (1), (1)").status(); })),
      "23505");
  EXPECT_EQ(connection.Script("SELECT count(*) FROM unique_late")->Text(0, 0), "0");
}

TEST(PgConnection, CopiesBothWays) {
  PgConnection out = Open(), in = Open();
  ASSERT_TRUE(in.Script("CREATE TEMP TABLE t (a int, b text)").ok());
  ASSERT_TRUE(in.CopyBegin("COPY t FROM STDIN").ok());
  size_t bytes = 0;
  absl::Status copied =
      out.CopyOut("COPY (SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i) TO STDOUT",
                  [&](std::string_view data) {
                    bytes += data.size();
                    return in.CopyData(data);
                  });
  ASSERT_TRUE(copied.ok()) << copied;
  EXPECT_TRUE(in.CopyEnd().ok());
  EXPECT_GT(bytes, 20'000'000u);
  EXPECT_EQ(in.Query("SELECT count(*), sum(length(b)) FROM t")->Text(0, 1), "20000000");
  EXPECT_EQ(out.Query("SELECT 1")->Text(0, 0), "1");
}

TEST(PgConnection, CopiesThatFail) {
  PgConnection connection = Open();
  ASSERT_TRUE(connection.Script("CREATE TEMP TABLE t (a int)").ok());
  EXPECT_EQ(State(connection.CopyBegin("COPY nope FROM STDIN")), "42P01");
  EXPECT_EQ(State(connection.CopyBegin("SELECT 1")), "08P01");
  ASSERT_TRUE(connection.CopyBegin("COPY t FROM STDIN").ok());
  ASSERT_TRUE(connection.CopyData("1\nx\n").ok());
  EXPECT_EQ(State(connection.CopyEnd()), "22P02");
  ASSERT_TRUE(connection.CopyBegin("COPY t FROM STDIN").ok());
  EXPECT_EQ(State(connection.CopyEnd(absl::InternalError("the source is gone"))), "57014");
  EXPECT_EQ(connection.Query("SELECT count(*) FROM t")->Text(0, 0), "0");
  absl::Status stopped =
      connection.CopyOut("COPY (SELECT generate_series(1, 1000000)) TO STDOUT",
                         [](std::string_view) { return SqlStatus("22023", "enough"); });
  EXPECT_EQ(State(stopped), "22023");
  EXPECT_TRUE(connection.broken());
}

TEST(PgConnection, RunsPipelines) {
  PgConnection connection = Open();
  ASSERT_TRUE(connection.Script("CREATE TEMP TABLE piped (i int PRIMARY KEY, t text)").ok());
  ASSERT_TRUE(connection.PipelineBegin().ok());
  ASSERT_TRUE(connection.PipelineStatement("BEGIN").ok());
  ASSERT_TRUE(connection.PipelinePrepare("ins", "INSERT INTO piped VALUES ($1, $2)").ok());
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(connection.PipelineExecute("ins", {{std::to_string(i), std::nullopt}}).ok());
  }
  ASSERT_TRUE(connection.PipelineStatement("UPDATE piped SET t = $1 WHERE i < 7", {{"x"}}).ok());
  ASSERT_TRUE(connection.PipelineStatement("COMMIT").ok());
  const auto affected = connection.PipelineEnd();
  ASSERT_TRUE(affected.ok()) << affected.status();
  ASSERT_EQ(affected->size(), 3004u);
  EXPECT_EQ((*affected)[1], 0u);
  EXPECT_EQ((*affected)[2], 1u);
  EXPECT_EQ((*affected)[3002], 7u);
  EXPECT_EQ(connection.Query("SELECT count(*) FROM piped")->Text(0, 0), "3000");
}

TEST(PgConnection, AnErrorEndsAPipeline) {
  PgConnection connection = Open();
  ASSERT_TRUE(connection.Script("CREATE TEMP TABLE piped (i int PRIMARY KEY)").ok());
  ASSERT_TRUE(connection.PipelineBegin().ok());
  for (const char* const sql : {"BEGIN", "INSERT INTO piped VALUES (1)", "SELECT 1/0",
                                "INSERT INTO piped VALUES (2)", "COMMIT"}) {
    ASSERT_TRUE(connection.PipelineStatement(sql).ok());
  }
  EXPECT_EQ(State(connection.PipelineEnd().status()), "22012");
  ASSERT_TRUE(connection.Script("ROLLBACK").ok());
  EXPECT_EQ(connection.Query("SELECT count(*) FROM piped")->Text(0, 0), "0");
  ASSERT_TRUE(connection.PipelineBegin().ok());
  EXPECT_TRUE(connection.PipelineEnd().ok());
}

}  // namespace
}  // namespace meridian
