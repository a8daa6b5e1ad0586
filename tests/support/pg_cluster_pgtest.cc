#include "tests/support/pg_cluster.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

TEST(PgCluster, StartsWithItsSettingsAndLeavesNothing) {
  std::string dir;
  {
    PgCluster cluster({.settings = {{"work_mem", "'7MB'"}}, .hba = {}});
    dir = cluster.data_dir();
    Connection connection = cluster.Connect();
    EXPECT_EQ(connection.Value("show work_mem"), "7MB");
    EXPECT_EQ(connection.Value("show fsync"), "off");
    EXPECT_TRUE(std::filesystem::exists(dir));
  }
  EXPECT_FALSE(std::filesystem::exists(dir));
}

TEST(PgCluster, RunsBesideAnotherWithItsOwnSystemIdentifier) {
  PgCluster a;
  PgCluster b({.settings = {}, .hba = {}, .own_system_identifier = true});
  EXPECT_NE(a.port(), b.port());
  const std::string sql = "select system_identifier from pg_control_system()";
  EXPECT_NE(a.Connect().Value(sql), b.Connect().Value(sql));
}

TEST(PgCluster, KeepsItsDataOverARestart) {
  PgCluster cluster;
  cluster.Connect().Query("create table t as select 1 as a");
  cluster.Stop();
  EXPECT_FALSE(Connection::Open(cluster.ConnInfo()).ok());
  cluster.Start();
  EXPECT_EQ(cluster.Connect().Value("select a from t"), "1");
}

TEST(PgCluster, TellsWhyItDoesNotStart) {
  EXPECT_THROW(PgCluster({.settings = {{"work_mem", "'much'"}}, .hba = {}}), std::runtime_error);
}

TEST(Connection, GivesRowsNullsAndErrors) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  const PgRows rows = connection.Query("select $1::int as a, $2::text as b", {"5", std::nullopt});
  EXPECT_EQ(rows.columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(rows.at(0, 0), "5");
  EXPECT_TRUE(rows.IsNull(0, 1));
  const auto failed = connection.TryQuery("select 1/0");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(ToSqlError(failed.status()).sqlstate, "22012");
  EXPECT_THROW(connection.Query("select nothing"), std::runtime_error);
}

TEST(Connection, CopiesIn) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  connection.Query("create table t (a int)");
  EXPECT_EQ(*connection.CopyIn("copy t from stdin", "1\n2\n"), "COPY 2");
  EXPECT_EQ(ToSqlError(connection.CopyIn("copy t from stdin", "x\n").status()).sqlstate, "22P02");
  EXPECT_EQ(connection.Value("select sum(a) from t"), "3");
}

}  // namespace
}  // namespace meridian
