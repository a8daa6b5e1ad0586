#include "tests/support/pg_cluster.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <thread>

#include "sharding/sql_status.h"
#include "tests/support/child_process.h"

namespace meridian {
namespace {

TEST(PgCluster, StartsWithItsSettingsAndLeavesNothing) {
  std::string dir;
  {
    PgCluster cluster({.settings = {{"work_mem", "'7MB'"}}});
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
  PgCluster b({.own_system_identifier = true});
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
  EXPECT_THROW(PgCluster({.settings = {{"work_mem", "'much'"}}}), std::runtime_error);
}

constexpr char kClusterOfAnother[] = "cluster of another process: ";

// Not a test: what the next one starts and kills.
TEST(PgCluster, DISABLED_RunsUntilKilled) {
  PgCluster cluster;
  std::cout << kClusterOfAnother << cluster.socket_dir() << std::endl;
  pause();
}

bool Within(std::chrono::seconds limit, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

TEST(PgCluster, IsStoppedAndRemovedWhenTheTestIsKilled) {
  std::string log = (std::filesystem::temp_directory_path() / "meridian_killed_XXXXXX").string();
  close(mkstemp(log.data()));
  const pid_t pid = StartProgram(
      {std::filesystem::read_symlink("/proc/self/exe").string(),
       "--gtest_filter=PgCluster.DISABLED_RunsUntilKilled", "--gtest_also_run_disabled_tests"},
      log);
  std::string dir;
  EXPECT_TRUE(Within(std::chrono::seconds(60), [&] {
    std::ifstream file(log);
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(kClusterOfAnother)) dir = line.substr(sizeof(kClusterOfAnother) - 1);
    }
    return !dir.empty();
  }));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  std::filesystem::remove(log);
  ASSERT_FALSE(dir.empty());
  EXPECT_TRUE(Within(std::chrono::seconds(30), [&] { return !std::filesystem::exists(dir); }));
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
