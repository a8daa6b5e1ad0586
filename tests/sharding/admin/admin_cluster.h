// Three PostgreSQL servers with a catalog on the first, and an executor of admin commands over
// them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sharding/admin/executor.h"
#include "sharding/admin/parser.h"
#include "sharding/admin/show_map.h"
#include "sharding/sql_status.h"
#include "tests/support/pg_cluster.h"

namespace meridian {

// A fixture; each test has databases of its own on servers that all tests share.
class AdminCluster : public testing::Test {
 protected:
  static constexpr int kServers = 3;

  static PgCluster& Server(int index) {
    static PgCluster servers[kServers];
    return servers[index];
  }

  AdminCluster()
      : dbname_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        store_(Options()),
        executor_(store_, Access()) {
    for (int i = 0; i < kServers; ++i) {
      Server(i).Connect().Query("CREATE DATABASE " + QuoteIdentifier(dbname_));
    }
    EXPECT_TRUE(store_.Migrate().ok());
  }
  ~AdminCluster() override {
    for (int i = 0; i < kServers; ++i) {
      Server(i).Connect().Query("DROP DATABASE " + QuoteIdentifier(dbname_) + " WITH (FORCE)");
    }
  }

  CatalogOptions Options() const {
    CatalogOptions options;
    options.target = Access().login;
    options.target.address = {"127.0.0.1", Server(0).port()};
    return options;
  }

  ShardAccess Access() const {
    ShardAccess access;
    access.login.dbname = dbname_;
    access.login.user = "postgres";
    return access;
  }

  // A connection to the test's database on shard s<index + 1>.
  Connection On(int index) const { return Server(index).Connect(dbname_); }
  // One statement or several on every shard.
  void Everywhere(const std::string& sql) {
    for (int i = 0; i < kServers; ++i) On(i).Query(sql);
  }

  static std::string CreateShardSql(int index) {
    return fmt::format("CREATE SHARD s{} OPTIONS (HOST '127.0.0.1:{}');", index + 1,
                       Server(index).port());
  }
  void CreateShards(int count = kServers) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(Run(CreateShardSql(i)), "");
  }

  // Executes the commands until the first error: "" or "SQLSTATE message". Keeps the error,
  // notices, map.
  std::string Run(const std::string& text) {
    error_ = {};
    notices_.clear();
    auto statements = ParseAdmin(text);
    if (!statements.ok()) return Remember(statements.status());
    for (const AdminStatement& statement : *statements) {
      auto outcome =
          executor_.Execute(statement.command, statement.text, "tester",
                            [&](const AdminNotice& notice) { notices_.push_back(notice.message); });
      if (!outcome.ok()) return Remember(outcome.status());
      map_ = outcome->map;
      EXPECT_EQ(outcome->result.tag, TagOf(statement.command));
    }
    return "";
  }

  // What SHOW says of the catalog's map now: rows by line, values by '|'.
  std::string Ask(const std::string& text) {
    auto map = store_.Load();
    EXPECT_TRUE(map.ok()) << map.status();
    auto result = AnswerFromMap(ParseAdmin(text)->front().command, **map, "");
    EXPECT_TRUE(result.ok()) << result.status();
    std::string answer;
    for (const AdminRow& row : result->table.rows) {
      for (size_t i = 0; i < row.size(); ++i) answer += (i > 0 ? "|" : "") + row[i].value_or("-");
      answer += "\n";
    }
    return answer;
  }

  std::string Remember(const absl::Status& status) {
    error_ = ToSqlError(status);
    return error_.sqlstate + " " + error_.message;
  }

  const std::string dbname_;
  CatalogStore store_;
  AdminExecutor executor_;
  SqlError error_;
  std::vector<std::string> notices_;
  std::shared_ptr<const ShardMap> map_;
};

}  // namespace meridian
