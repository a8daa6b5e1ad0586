// Pools over real connections to PostgreSQL: blocking sockets are the driver.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "proxy/auth/scram_client.h"
#include "proxy/auth/scram_server.h"
#include "proxy/pool/server_pools.h"
#include "proxy/wire/error_response.h"
#include "proxy/wire/message_writer.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SocketHost : public PoolHost {
 public:
  ~SocketHost() {
    for (const auto& [server, fd] : sockets) close(fd);
  }
  void Connect(Server& server, const NodeAddress& node) override {
    const bool local = node.host.starts_with('/');
    const int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    int result = 0;
    if (local) {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      const std::string path = node.host + "/.s.PGSQL." + std::to_string(node.port);
      std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
      result = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    } else {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(node.port);
      inet_pton(AF_INET, node.host.c_str(), &address.sin_addr);
      result = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    sockets[&server] = fd;
    (result == 0 ? connected : refused).push_back(&server);
  }
  void Flush(Server&) override {}
  void Disconnect(Server& server) override {
    Write(server);
    close(sockets.at(&server));
    sockets.erase(&server);
  }
  void DeriveKeys(uint64_t server_id, std::string password, std::string salt,
                  int iterations) override {
    keys[server_id] = meridian::DeriveKeys(password, salt, iterations);
    ++derivations;
  }
  uint64_t NowUs() override { return now_us; }
  void Write(Server& server) {
    std::string bytes;
    server.out.MoveRest(0, bytes);
    if (!bytes.empty()) (void)!send(sockets.at(&server), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  std::map<Server*, int> sockets;
  std::vector<Server*> connected, refused;
  std::map<uint64_t, absl::StatusOr<ScramKeys>> keys;
  int derivations = 0;
  uint64_t now_us = 1'000'000;
};

class Session : public PoolClient, public ServerOwner {
 public:
  void OnServer(Server& given) override { Take(&given); }
  void OnServerFailed(const absl::Status& status) override { failure = ToSqlError(status); }
  void OnServerBytes(Server& given, std::string_view bytes) override {
    for (;;) {
      const auto event = given.stream.Next(bytes);
      if (event.kind == wire::MessageStream::Kind::kNone) return;
      if (event.type == wire::kDataRow) rows.append(event.bytes);
      if (event.type == wire::kErrorResponse) {
        error = wire::ToSqlError(wire::ParseErrorFields(event.body()));
      }
      if (event.type != wire::kReadyForQuery) continue;
      given.transaction_status = event.body()[0];
      ready = true;
    }
  }
  void OnServerClosed(Server&, const SqlError& reason) override {
    server = nullptr;
    failure = reason;
  }
  void Take(Server* taken) {
    server = taken;
    if (taken != nullptr) taken->owner = this;
  }

  Server* server = nullptr;
  std::optional<SqlError> failure, error;
  std::string rows;
  bool ready = false;
};

class PoolPgTest : public testing::Test {
 protected:
  static PgClusterOptions Options() {
    PgClusterOptions options;
    options.hba = {"local all postgres trust",
                   "local all plain password",
                   "host all plain 127.0.0.1/32 password",
                   "host all digest 127.0.0.1/32 md5",
                   "host all trusted 127.0.0.1/32 trust",
                   "host all all 127.0.0.1/32 scram-sha-256"};
    return options;
  }
  static void SetUpTestSuite() {
    cluster = new PgCluster(Options());
    auto admin = cluster->Connect();
    admin.Query(
        "CREATE ROLE trusted LOGIN; ALTER ROLE trusted SET search_path = app, public;"
        "CREATE ROLE ann LOGIN PASSWORD 'pencil'; CREATE ROLE plain LOGIN PASSWORD 'pencil';"
        "SET password_encryption = 'md5'; CREATE ROLE digest LOGIN PASSWORD 'pencil'");
  }
  static void TearDownTestSuite() {
    delete cluster;
    cluster = nullptr;
  }

  Pool& PoolOf(const std::string& user, const std::string& database = "postgres") {
    return pools.Get({{"127.0.0.1", cluster->port()}, database, user}, metrics);
  }
  // Lets things happen until `done`; false where nothing happens any more.
  template <typename Done>
  bool RunUntil(Done done) {
    for (int turn = 0; turn < 1'000; ++turn) {
      if (done()) return true;
      for (Server* server : std::exchange(host.connected, {})) pools.OnConnected(*server);
      for (Server* server : std::exchange(host.refused, {})) {
        pools.OnServerClosed(*server, "Connection refused");
      }
      for (auto& [id, keys] : std::exchange(host.keys, {})) pools.OnKeys(id, std::move(keys));
      if (done()) return true;
      if (!ReadOne()) return false;
    }
    return false;
  }
  bool ReadOne() {
    std::vector<pollfd> fds;
    std::vector<Server*> servers;
    for (const auto& [server, fd] : host.sockets) {
      host.Write(*server);
      fds.push_back({fd, POLLIN, 0});
      servers.push_back(server);
    }
    if (poll(fds.data(), fds.size(), 5'000) <= 0) return false;
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      char buffer[700];
      const ssize_t size = recv(fds[i].fd, buffer, sizeof buffer, 0);
      if (size > 0) {
        pools.OnServerBytes(*servers[i], std::string_view(buffer, static_cast<size_t>(size)));
      } else {
        pools.OnServerClosed(*servers[i], "end of file");
      }
      return true;
    }
    return false;
  }
  // Waits for a connection or the reason why there is none.
  void Acquire(Session& session, Pool& pool) {
    session.Take(pools.Acquire(pool, session));
    RunUntil([&] { return session.server != nullptr || session.failure.has_value(); });
  }
  // The bytes of the rows.
  std::string Query(Session& session, std::string_view sql) {
    session.rows.clear();
    session.error.reset();
    session.ready = false;
    wire::AppendQuery(session.server->out.Own(), sql);
    EXPECT_TRUE(RunUntil([&] { return session.ready || session.server == nullptr; })) << sql;
    return session.rows;
  }
  void Return(Session& session, Release how) {
    Server* server = session.server;
    session.server = nullptr;
    pools.Return(*server, how);
    EXPECT_TRUE(RunUntil([&] { return server->state != Server::State::kCleaning; }));
  }

  static PgCluster* cluster;
  SettingsRegistry settings;
  PoolBudgets budgets{2};
  SocketHost host;
  ShardMetrics metrics;
  ServerPools pools{host, budgets, settings, {.pool_size = 2}};
};

PgCluster* PoolPgTest::cluster = nullptr;

TEST_F(PoolPgTest, Trust) {
  Session session;
  Pool& pool = PoolOf("trusted");
  Acquire(session, pool);
  ASSERT_NE(session.server, nullptr) << session.failure->message;
  EXPECT_EQ(*pool.defaults()->Find("search_path"), "app, public");
  std::map<std::string, std::string> parameters(pool.profile()->parameters.begin(),
                                                pool.profile()->parameters.end());
  EXPECT_EQ(parameters["server_encoding"], "UTF8");
  EXPECT_EQ(parameters["application_name"], "");
  EXPECT_EQ(parameters["is_superuser"], "off");
  EXPECT_THAT(Query(session, "SELECT pg_backend_pid()"),
              HasSubstr(std::to_string(session.server->backend_pid)));
}

// As in production: the client proves itself to us, and what it shows opens the backend.
TEST_F(PoolPgTest, ScramPassThrough) {
  const std::string rolpassword =
      cluster->Connect().Value("SELECT rolpassword FROM pg_authid WHERE rolname = 'ann'");
  ScramServer server("ann", ParseScramVerifier(rolpassword).value());
  ScramClient client("ann", "the proxy");
  ASSERT_TRUE(client.ReadServerFirst(server.Start(client.ClientFirst()).value()).ok());
  const ScramKeys derived =
      DeriveKeys("pencil", client.challenge().salt, client.challenge().iterations).value();
  const auto success = server.Finish(client.ClientFinal(derived).value());
  ASSERT_TRUE(success.ok());

  Pool& pool = PoolOf("ann");
  pools.SetCredentials(pool, {.keys = success->keys});
  Session session;
  Acquire(session, pool);
  ASSERT_NE(session.server, nullptr) << session.failure->message;
  EXPECT_THAT(Query(session, "SELECT current_user"), HasSubstr("ann"));
  EXPECT_EQ(host.derivations, 0);
}

TEST_F(PoolPgTest, ScramWithAPasswordDerivesItsKeysOnce) {
  Pool& pool = PoolOf("ann");
  pools.SetCredentials(pool, {.password = "pencil"});
  Session a, b;
  Acquire(a, pool);
  ASSERT_NE(a.server, nullptr) << a.failure->message;
  Acquire(b, pool);
  ASSERT_NE(b.server, nullptr) << b.failure->message;
  EXPECT_EQ(host.derivations, 1);
}

TEST_F(PoolPgTest, OtherPasswordMethods) {
  PoolKey socket{{cluster->socket_dir(), cluster->port()}, "postgres", "plain"};
  Pool& plain = pools.Get(socket, metrics);
  Pool& digest = PoolOf("digest");
  for (Pool* pool : {&plain, &digest}) {
    pools.SetCredentials(*pool, {.password = "pencil"});
    Session session;
    Acquire(session, *pool);
    ASSERT_NE(session.server, nullptr) << session.failure->message;
    Return(session, Release::kClean);
  }
  // Not as plain text over the network.
  Session session;
  Pool& tcp = PoolOf("plain");
  pools.SetCredentials(tcp, {.password = "pencil"});
  Acquire(session, tcp);
  ASSERT_TRUE(session.failure.has_value());
  EXPECT_EQ(session.failure->sqlstate, "28000");
}

TEST_F(PoolPgTest, RefusalsAreTheServersOwn) {
  Session no_database;
  Acquire(no_database, PoolOf("trusted", "nowhere"));
  EXPECT_EQ(no_database.failure->sqlstate, "3D000");
  EXPECT_EQ(no_database.failure->message, "database \"nowhere\" does not exist");

  Session no_password;
  Acquire(no_password, PoolOf("ann"));
  EXPECT_EQ(no_password.failure->sqlstate, "28P01");

  Session wrong;
  Pool& pool = PoolOf("ann");
  pools.SetCredentials(pool, {.password = "pen"});
  Acquire(wrong, pool);
  ASSERT_TRUE(wrong.failure.has_value());
  EXPECT_EQ(wrong.failure->sqlstate, "28P01");

  Session nobody;
  Acquire(nobody, pools.Get({{"127.0.0.1", 1}, "postgres", "ann"}, metrics));
  EXPECT_EQ(nobody.failure->sqlstate, "08006");
}

TEST_F(PoolPgTest, CleaningLeavesNothingBehind) {
  Session session;
  Pool& pool = PoolOf("trusted");
  Acquire(session, pool);
  const uint32_t pid = session.server->backend_pid;
  Query(session, "CREATE TEMP TABLE t (a int); SET work_mem = '77MB'; PREPARE p AS SELECT 1");
  Query(session, "BEGIN; SELECT 1/0");
  EXPECT_EQ(session.server->transaction_status, wire::kFailedTransaction);
  Return(session, Release::kReset);
  Acquire(session, pool);
  ASSERT_EQ(session.server->backend_pid, pid);
  EXPECT_THAT(Query(session, "SELECT current_setting('work_mem'), to_regclass('pg_temp.t')"),
              testing::Not(HasSubstr("77MB")));
  Query(session, "EXECUTE p");
  EXPECT_EQ(session.error->sqlstate, "26000");

  Query(session, "BEGIN; SET LOCAL work_mem = '78MB'");
  Return(session, Release::kRollback);
  Acquire(session, pool);
  ASSERT_EQ(session.server->backend_pid, pid);
  EXPECT_THAT(Query(session, "SHOW work_mem"), testing::Not(HasSubstr("78MB")));
}

TEST_F(PoolPgTest, ChangesOfSettingsDoWhatTheySay) {
  Session session;
  Acquire(session, PoolOf("trusted"));
  const auto from = settings.Empty();
  const auto to = settings.Intern({{"work_mem", "77MB"},
                                   {"application_name", "it's \\ \xc3\xbc"},
                                   {"search_path", "a, \"B c\""},
                                   {"my.own", "x"},
                                   {"datestyle", "German"}});
  Query(session, SettingsChangeSql(*from, *to));
  EXPECT_FALSE(session.error.has_value());
  const std::string all =
      Query(session,
            "SELECT current_setting('work_mem'), current_setting('search_path'),"
            "current_setting('my.own'), current_setting('datestyle')");
  EXPECT_THAT(all, HasSubstr("77MB"));
  EXPECT_THAT(all, HasSubstr("a, \"B c\""));
  EXPECT_THAT(all, HasSubstr("German, DMY"));
  Query(session, SettingsChangeSql(*to, *from));
  EXPECT_FALSE(session.error.has_value()) << session.error->message;
  EXPECT_THAT(Query(session, "SHOW search_path"), HasSubstr("app, public"));
  EXPECT_THAT(Query(session, "SHOW application_name"), testing::Not(HasSubstr("it's")));
}

TEST_F(PoolPgTest, ChangesOfSettingsUnderAnotherEncoding) {
  Session session;
  Acquire(session, PoolOf("trusted"));
  const auto from = settings.Intern({{"client_encoding", "LATIN1"}});
  Query(session, SettingsChangeSql(*settings.Empty(), *from));
  // Not application_name: ASCII only.
  const auto to = settings.Intern({{"client_encoding", "LATIN2"}, {"my.own", "\xc3\xbc'"}});
  Query(session, SettingsChangeSql(*from, *to));
  EXPECT_FALSE(session.error.has_value()) << session.error->message;
  EXPECT_THAT(Query(session, "SHOW my.own"), HasSubstr("\xfc'"));
}

TEST_F(PoolPgTest, ChangesOfTheRole) {
  Session session;
  PoolKey key{{cluster->socket_dir(), cluster->port()}, "postgres", "postgres"};
  Acquire(session, pools.Get(key, metrics));
  ASSERT_NE(session.server, nullptr) << session.failure->message;
  const auto as_ann = settings.Intern({{"role", "ann"}});
  const auto as_ann_with_log = settings.Intern({{"role", "ann"}, {"log_statement", "ddl"}});
  const auto as_trusted = settings.Intern({{"session_authorization", "trusted"}});
  const std::vector<std::pair<Ref<const Settings>, std::string>> path = {
      {settings.Empty(), "postgres"}, {as_ann, "ann"},          {as_ann_with_log, "ann"},
      {as_trusted, "trusted"},        {as_ann_with_log, "ann"}, {settings.Empty(), "postgres"}};
  for (size_t i = 1; i < path.size(); ++i) {
    Query(session, SettingsChangeSql(*path[i - 1].first, *path[i].first));
    EXPECT_FALSE(session.error.has_value()) << i << session.error->message;
    EXPECT_THAT(Query(session, "SELECT current_user"), HasSubstr(path[i].second)) << i;
  }
}

TEST_F(PoolPgTest, IdentifierListsAreSplitAsTheServerDoes) {
  auto admin = cluster->Connect();
  for (const char* list : {"", " a , B", "\"A b\",c", "a b", "a,", "\"\"", "\"a\"\"b\"", "a\"b",
                           "\"a", "$user, \"$user\"", "\xc3\x84", "\"x\"y"}) {
    const bool taken = admin.TryQuery("SELECT set_config('search_path', $1, false)", {list}).ok();
    EXPECT_EQ(SplitIdentifierList(list).has_value(), taken) << list;
  }
}

TEST_F(PoolPgTest, ABackendThatIsTerminatedWhileIdleIsReplaced) {
  Session session;
  Pool& pool = PoolOf("trusted");
  Acquire(session, pool);
  const uint32_t pid = session.server->backend_pid;
  Return(session, Release::kClean);
  cluster->Connect().Query("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
  EXPECT_TRUE(RunUntil([&] { return pool.Stats(host.now_us).idle == 0; }));
  EXPECT_EQ(pool.Stats(host.now_us).unsolicited, 0u);
  Acquire(session, pool);
  ASSERT_NE(session.server, nullptr);
  EXPECT_NE(session.server->backend_pid, pid);
}

TEST_F(PoolPgTest, NewDefaultsReachTheProfile) {
  auto admin = cluster->Connect();
  admin.Query("CREATE ROLE changing LOGIN; ALTER ROLE changing SET search_path = one");
  // The rule of pg_hba.conf for roles without one of their own asks for a password.
  PoolKey key{{"127.0.0.1", cluster->port()}, "postgres", "changing"};
  admin.Query("ALTER ROLE changing PASSWORD 'pencil'");
  Pool& pool = pools.Get(key, metrics);
  pools.SetCredentials(pool, {.password = "pencil"});
  Session a, b;
  Acquire(a, pool);
  ASSERT_NE(a.server, nullptr) << a.failure->message;
  EXPECT_EQ(*pool.defaults()->Find("search_path"), "one");
  admin.Query("ALTER ROLE changing SET search_path = two");
  Acquire(b, pool);
  ASSERT_NE(b.server, nullptr);
  EXPECT_EQ(*pool.defaults()->Find("search_path"), "two");
  Return(a, Release::kClean);
  EXPECT_EQ(pool.Stats(host.now_us).idle, 0u);
}

}  // namespace
}  // namespace meridian
