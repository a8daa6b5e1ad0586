#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "proxy/config/config.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

// The least that a configuration must say.
constexpr std::string_view kLeast = R"(
[catalog]
dbname = "shop"

[[database]]
name = "shop"
)";

Config Parsed(const std::string& text) {
  const auto config = ParseConfig(text, "meridian.toml");
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *config : Config();
}

std::string ErrorOf(const std::string& text) {
  const auto config = ParseConfig(text, "m.toml");
  EXPECT_FALSE(config.ok()) << text;
  return config.ok() ? "" : std::string(config.status().message());
}

TEST(Config, HasDefaultsForEverythingElse) {
  Config expected;
  expected.catalog.dbname = "shop";
  expected.databases = {{.name = "shop", .pool_mode = PoolMode::kTransaction, .pool_size = 20}};
  EXPECT_EQ(Parsed(std::string(kLeast)), expected);
}

TEST(Config, ReadsEverySetting) {
  const Config config = Parsed(R"(
listen_hosts = ["*", "::1"]
listen_port = 7000
unix_socket_dir = "/run/meridian"
workers = 3
max_client_connections = 50000
login_timeout = "5s"
client_idle_timeout = "1d"
drain_timeout = 0
max_message_size = "64MB"
max_statement_size = "32 KiB"
pool_mode = "session"
pool_size = 7
queue_timeout = "250ms"
connect_timeout = "2s"
server_idle_timeout = "10min"
server_lifetime = "2h"

[auth]
tcp = "trust"
unix = "trust"

[server]
password_file = "/etc/meridian/passwords"

[catalog]
host = "db"
port = 5433
dbname = "cat"
user = "owner"
password = "p\"w"
passfile = "/etc/meridian/catalog"

[control]
user = "watcher"
catalog_poll_interval = "3s"
node_check_interval = "500ms"
schema_poll_interval = "7s"
role_poll_interval = "8s"
transaction_recovery_interval = "9s"
mover_lease = "4s"
rebalance_interval = "2min"

[metrics]
listen = ""

[debug]
fault_points = "commit.begin=pause, recovery.resolved=kill"

[log]
level = "debug"
format = "json"
file = "/var/log/meridian.log"
slow_statement = "100ms"

[[database]]
name = "shop"

[[database]]
name = "Crm 2"
pool_mode = "transaction"
pool_size = 100

[[node]]
address = "db1:5432"
zone = "a"
weight = 3

[[user]]
name = "Report"
read_consistency = "eventual"

[[admin.user]]
name = "ann"
password = "secret"

[[admin.user]]
name = "bob"
password = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)");
  EXPECT_THAT(config.listen_hosts, ElementsAre("*", "::1"));
  EXPECT_EQ(config.listen_port, 7000);
  EXPECT_EQ(config.unix_socket_dir, "/run/meridian");
  EXPECT_EQ(config.workers, 3);
  EXPECT_EQ(config.max_client_connections, 50'000);
  EXPECT_EQ(config.login_timeout, milliseconds(5'000));
  EXPECT_EQ(config.client_idle_timeout, milliseconds(86'400'000));
  EXPECT_EQ(config.drain_timeout, milliseconds(0));
  EXPECT_EQ(config.max_message_size, 64 << 20);
  EXPECT_EQ(config.max_statement_size, 32 << 10);
  EXPECT_EQ(config.pool_mode, PoolMode::kSession);
  EXPECT_EQ(config.pool_size, 7);
  EXPECT_EQ(config.queue_timeout, milliseconds(250));
  EXPECT_EQ(config.connect_timeout, milliseconds(2'000));
  EXPECT_EQ(config.server_idle_timeout, milliseconds(600'000));
  EXPECT_EQ(config.server_lifetime, milliseconds(7'200'000));
  EXPECT_EQ(config.auth,
            (AuthConfig{.tcp = ClientAuth::kTrust, .unix_socket = ClientAuth::kTrust}));
  EXPECT_EQ(config.server.password_file, "/etc/meridian/passwords");
  EXPECT_EQ(config.catalog, (CatalogConfig{.host = "db",
                                           .port = 5433,
                                           .dbname = "cat",
                                           .user = "owner",
                                           .password = "p\"w",
                                           .passfile = "/etc/meridian/catalog"}));
  EXPECT_EQ(config.control, (ControlConfig{.user = "watcher",
                                           .catalog_poll_interval = milliseconds(3'000),
                                           .node_check_interval = milliseconds(500),
                                           .schema_poll_interval = milliseconds(7'000),
                                           .role_poll_interval = milliseconds(8'000),
                                           .transaction_recovery_interval = milliseconds(9'000),
                                           .mover_lease = milliseconds(4'000),
                                           .rebalance_interval = milliseconds(120'000)}));
  EXPECT_EQ(config.metrics.listen, "");
  EXPECT_EQ(config.debug.fault_points, "commit.begin=pause, recovery.resolved=kill");
  EXPECT_EQ(config.log, (LogConfig{.level = LogLevel::kDebug,
                                   .format = LogFormat::kJson,
                                   .file = "/var/log/meridian.log",
                                   .slow_statement = milliseconds(100)}));
  EXPECT_THAT(config.databases, ElementsAre(DatabaseConfig{"shop", PoolMode::kSession, 7},
                                            DatabaseConfig{"Crm 2", PoolMode::kTransaction, 100}));
  ASSERT_NE(config.FindDatabase("Crm 2"), nullptr);
  EXPECT_EQ(config.FindDatabase("crm 2"), nullptr);
  ASSERT_NE(config.FindNode("db1:5432"), nullptr);
  EXPECT_EQ(config.FindNode("db1:5432")->weight, 3);
  EXPECT_EQ(config.FindNode("db1:5432")->zone, "a");
  EXPECT_EQ(config.FindNode("db2:5432"), nullptr);
  ASSERT_NE(config.FindUser("Report"), nullptr);
  EXPECT_EQ(config.FindUser("Report")->read_consistency, ReadConsistency::kEventual);
  EXPECT_EQ(config.FindUser("report"), nullptr);
  ASSERT_NE(config.FindAdminUser("bob"), nullptr);
  EXPECT_EQ(config.FindAdminUser("ann")->password, "secret");
  EXPECT_EQ(config.FindAdminUser("eve"), nullptr);
}

TEST(Config, TellsWhereAnUnknownSettingStandsAndWhatIsNearest) {
  const std::string least(kLeast);
  EXPECT_EQ(ErrorOf("poolsize = 3" + least),
            "m.toml:1:1: unknown setting \"poolsize\"; the nearest is \"pool_size\"");
  EXPECT_EQ(ErrorOf("listen = [\"localhost\"]" + least),
            "m.toml:1:1: unknown setting \"listen\"; the nearest is \"listen_hosts\"");
  EXPECT_EQ(ErrorOf(least + "\n[log]\n  lvel = \"info\"\n"),
            "m.toml:9:3: unknown setting \"log.lvel\"; the nearest is \"log.level\"");
  EXPECT_EQ(ErrorOf(least + "slow_statement = 1\n"),
            "m.toml:7:1: unknown setting \"database.slow_statement\"; the nearest is "
            "\"log.slow_statement\"");
  EXPECT_EQ(ErrorOf(least + "[[admin_user]]\nname = \"a\"\n"),
            "m.toml:7:3: unknown setting \"admin_user\"; the nearest is \"admin.user\"");
  EXPECT_EQ(ErrorOf(least + "[logs]\n"), "m.toml:7:2: unknown setting \"logs\"");
  EXPECT_EQ(ErrorOf(least + "[admin]\nusers = 1\n"),
            "m.toml:8:1: unknown setting \"admin.users\"; the nearest is \"admin.user\"");
  EXPECT_EQ(ErrorOf("completely_different_thing = 1" + least),
            "m.toml:1:1: unknown setting \"completely_different_thing\"");
  EXPECT_EQ(ErrorOf("\"\" = 1" + least), "m.toml:1:1: unknown setting \"\"");
  EXPECT_THAT(ErrorOf("[log.level]\nx = 1" + least), HasSubstr("m.toml:1:1: log.level must be"));
}

TEST(Config, TellsWhereAndWhyAValueIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"listen_port = 0", "1:15: listen_port must be from 1 to 65535"},
      {"listen_port = 65536", "1:15: listen_port must be from 1 to 65535"},
      {"listen_port = 9223372036854775807", "1:15: listen_port must be from 1 to 65535"},
      {"listen_port = \"6432\"", "1:15: listen_port must be a whole number"},
      {"listen_port = 6432.5", "1:15: listen_port must be a whole number"},
      {"workers = -1", "1:11: workers must be from 0 to 1024"},
      {"workers = true", "1:11: workers must be a whole number"},
      {"listen_hosts = \"localhost\"", "1:16: listen_hosts must be a list of texts"},
      {"listen_hosts = [1]", "1:16: listen_hosts must be a list of texts"},
      {"listen_hosts = [\"\"]", "1:16: listen_hosts must not contain an empty text"},
      {"login_timeout = 5",
       "1:17: login_timeout must be a duration such as \"5s\"; units are ms, "
       "s, min, h, d"},
      {"login_timeout = \"5\"", "1:17: login_timeout must be a duration"},
      {"login_timeout = \"5 sec\"", "1:17: login_timeout must be a duration"},
      {"login_timeout = \"-5s\"", "1:17: login_timeout must be a duration"},
      {"login_timeout = \"s\"", "1:17: login_timeout must be a duration"},
      {"login_timeout = \"\"", "1:17: login_timeout must be a duration"},
      {"login_timeout = \"0\"", "1:17: login_timeout must be from 100ms to 1d"},
      {"login_timeout = \"9223372036854775807d\"", "1:17: login_timeout must be a duration"},
      {"login_timeout = \"99999999999999999999s\"", "1:17: login_timeout must be a duration"},
      {"login_timeout = \"2d\"", "1:17: login_timeout must be from 100ms to 1d"},
      {"max_message_size = \"1TB\"",
       "1:20: max_message_size must be a size such as \"64kB\"; units "
       "are B, kB, KiB, MB, MiB, GB, GiB"},
      {"max_message_size = \"2GB\"", "1:20: max_message_size must be from 64kB to 1GB"},
      {"max_message_size = -1", "1:20: max_message_size must be from 64kB to 1GB"},
      {"pool_mode = \"statement\"", "1:13: pool_mode must be \"transaction\" or \"session\""},
      {"pool_mode = 1", "1:13: pool_mode must be \"transaction\" or \"session\""},
      {"unix_socket_dir = 1", "1:19: unix_socket_dir must be a text in quotes"},
      {"unix_socket_dir = \"a\\u0000b\"", "1:19: unix_socket_dir must not contain a NUL"},
      {"unix_socket_dir = \"run\"", "1:19: unix_socket_dir must be an absolute path"},
      {"log.level = \"verbose\"",
       "1:13: log.level must be \"debug\" or \"info\" or \"warning\" or \"error\""},
      {"log = 1", "1:7: log is a table"},
      {"[debug]\nfault_points = 1", "2:16: debug.fault_points must be a text"},
      {"[debug]\nfault_points = \"commit.begin\"",
       "1:1: debug.fault_points: fault point \"commit.begin\": \"\" is neither kill nor pause, nor "
       "fail of a move"},
      {"[debug]\nfault_points = \"commit.now=kill\"",
       "1:1: debug.fault_points: there is no fault point \"commit.now\""},
  };
  for (const auto& [text, error] : cases) {
    EXPECT_THAT(ErrorOf(text + std::string(kLeast)),
                testing::StartsWith(std::string("m.toml:") + error));
  }
  const std::string deep = "unix_socket_dir = \"/" + std::string(92, 'x') + "\"";
  EXPECT_THAT(ErrorOf(deep + std::string(kLeast)), HasSubstr("of at most 92 bytes"));
}

TEST(Config, TellsWhatIsMissingOrDoesNotFit) {
  const std::string catalog = "[catalog]\ndbname = \"c\"\n";
  const std::string database = "[[database]]\nname = \"d\"\n";
  EXPECT_EQ(ErrorOf(""), "m.toml:1:1: catalog.dbname is missing");
  EXPECT_THAT(ErrorOf(database), HasSubstr("catalog.dbname is missing"));
  EXPECT_EQ(ErrorOf("[catalog]\ndbname = \"\"\n" + database),
            "m.toml:2:10: catalog.dbname must not be empty");
  EXPECT_THAT(ErrorOf(catalog), HasSubstr("a [[database]] table"));
  EXPECT_EQ(ErrorOf(catalog + "[[database]]\npool_size = 3\n"),
            "m.toml:3:1: database.name is missing");
  EXPECT_EQ(ErrorOf(catalog + database + database),
            "m.toml:6:8: database.name \"d\" is given twice");
  EXPECT_EQ(ErrorOf(catalog + "[[database]]\nname = \"meridian\"\n"),
            "m.toml:4:8: database.name \"meridian\" is the name of the admin database");
  EXPECT_THAT(ErrorOf("database = 1\n" + catalog), HasSubstr("must be written as [[database]]"));
  EXPECT_THAT(ErrorOf("database = [1]\n" + catalog), HasSubstr("must be written as [[database]]"));
  EXPECT_THAT(ErrorOf(catalog + "[database]\nname = \"d\"\n"),
              HasSubstr("must be written as [[database]]"));
  EXPECT_THAT(ErrorOf("admin = 1\n" + catalog + database),
              HasSubstr("must be written as [[admin.user]]"));
  EXPECT_THAT(ErrorOf(catalog + database + "[admin.user]\nname = \"a\"\n"),
              HasSubstr("must be written as [[admin.user]]"));
  EXPECT_EQ(ErrorOf(catalog + database + "[[admin.user]]\nname = \"a\"\n"),
            "m.toml:5:1: admin.user.password is missing");
  const std::string user = "[[admin.user]]\nname = \"a\"\npassword = \"p\"\n";
  EXPECT_EQ(ErrorOf(catalog + database + user + user),
            "m.toml:9:8: admin.user.name \"a\" is given twice");
  EXPECT_EQ(ErrorOf("unix_socket_dir = \"\"\nlisten_hosts = []\n" + catalog + database),
            "m.toml:2:16: nothing to listen on: set listen_hosts or unix_socket_dir");
  const std::string whole = "[catalog]\ndbname = \"c\"\n[[database]]\nname = \"d\"\n";
  EXPECT_EQ(ErrorOf(whole + "[[node]]\naddress = \"h:1\"\n[[node]]\naddress = \"h:1\"\n"),
            "m.toml:8:11: node.address \"h:1\" is given twice");
  EXPECT_THAT(ErrorOf(whole + "[[node]]\naddress = \"h:x\"\n"),
              testing::HasSubstr("m.toml:6:11: node.address: invalid node address"));
  EXPECT_THAT(ErrorOf(whole + "[[node]]\nzone = \"a\"\n"),
              testing::HasSubstr("node.address is missing"));
  EXPECT_THAT(ErrorOf(whole + "[[node]]\naddress = \"h:1\"\nweight = 0\n"),
              testing::HasSubstr("node.weight"));
  EXPECT_EQ(ErrorOf(whole + "[[user]]\nname = \"a\"\n[[user]]\nname = \"a\"\n"),
            "m.toml:8:8: user.name \"a\" is given twice");
  EXPECT_THAT(ErrorOf(whole + "[[user]]\nread_consistency = \"strong\"\n"),
              testing::HasSubstr("user.name is missing"));
  EXPECT_THAT(ErrorOf(whole + "[[user]]\nname = \"a\"\nread_consistency = \"weak\"\n"),
              testing::HasSubstr("m.toml:7:20: user.read_consistency"));
  EXPECT_THAT(ErrorOf(whole + "[user]\nname = \"a\"\n"),
              testing::HasSubstr("must be written as [[user]] tables"));
  EXPECT_THAT(ErrorOf(whole + "[node]\naddress = \"h:1\"\n"),
              testing::HasSubstr("must be written as [[node]] tables"));
}

TEST(Config, NeverEchoesASecret) {
  const std::string user = "[[admin.user]]\nname = \"a\"\npassword = ";
  for (const char* password :
       {"\"SCRAM-SHA-256$hunter2\"", "\"hunter2\\u0000\"", "[\"hunter2\"]"}) {
    const std::string error = ErrorOf(std::string(kLeast) + user + password + "\n");
    EXPECT_THAT(error, HasSubstr("m.toml:9:12: admin.user.password"));
    EXPECT_THAT(error, testing::Not(HasSubstr("hunter2")));
  }
}

TEST(Config, TellsWhereTheSyntaxIsWrong) {
  EXPECT_THAT(ErrorOf("workers = \n"), testing::StartsWith("m.toml:1:11: "));
  EXPECT_THAT(ErrorOf("workers = 1\nworkers = 2\n"), testing::StartsWith("m.toml:2:"));
  EXPECT_THAT(ErrorOf("a = \"\xff\"\n"), testing::StartsWith("m.toml:1:"));
  EXPECT_THAT(ErrorOf("\xef\xbb\xbf["), testing::StartsWith("m.toml:1:"));
  EXPECT_THAT(ErrorOf(std::string("a = 1\0", 6)), testing::StartsWith("m.toml:1:"));
  EXPECT_THAT(ErrorOf("a = " + std::string(100'000, '[')), testing::StartsWith("m.toml:1:"));
}

TEST(Config, IsReadFromAFile) {
  const std::string path = testing::TempDir() + "/load_test." + std::to_string(getpid());
  std::ofstream(path) << kLeast;
  const auto config = LoadConfig(path);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->catalog.dbname, "shop");
  std::ofstream(path) << "workers = x\n";
  EXPECT_THAT(std::string(LoadConfig(path).status().message()),
              testing::StartsWith(path + ":1:11: "));
  std::ofstream(path, std::ios::trunc).flush();
  EXPECT_EQ(std::string(LoadConfig(path).status().message()),
            path + ":1:1: catalog.dbname is missing");
  std::remove(path.c_str());
  EXPECT_EQ(LoadConfig(path).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(LoadConfig("/tmp").status().message()), HasSubstr("it is a directory"));
}

TEST(Diff, TakesOverWhatIsReloadableAndNamesTheRest) {
  const Config running = Parsed(std::string(kLeast) + "[[database]]\nname = \"old\"\n");
  EXPECT_EQ(Diff(running, running).config, running);
  EXPECT_TRUE(Diff(running, running).needs_restart.empty());

  Config loaded = running;
  loaded.workers = 9;
  loaded.queue_timeout = milliseconds(1);
  loaded.log.level = LogLevel::kError;
  loaded.catalog.password = "new";
  loaded.databases = {{"shop", PoolMode::kSession, 3}, {"new", PoolMode::kSession, 4}};
  loaded.admin_users = {{"ann", "p"}};
  const ConfigReload reload = Diff(running, loaded);
  EXPECT_THAT(reload.needs_restart,
              ElementsAre("catalog.password", "database", "database.pool_mode", "workers"));

  Config expected = running;
  expected.queue_timeout = milliseconds(1);
  expected.log.level = LogLevel::kError;
  expected.databases[0].pool_size = 3;
  expected.admin_users = loaded.admin_users;
  EXPECT_EQ(reload.config, expected);
}

}  // namespace
}  // namespace meridian
