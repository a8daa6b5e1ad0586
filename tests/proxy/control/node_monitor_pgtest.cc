#include "proxy/control/node_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "tests/proxy/control/control_cluster.h"

namespace meridian {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::shared_ptr<const ShardMap> MapOf(std::vector<Shard> shards, uint64_t epoch = 1) {
  return *ShardMap::Build(Epoch{epoch}, std::move(shards), {}, {});
}

// A server that accepts connections and never says a word.
class SilentServer {
 public:
  SilentServer() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { close(fd_); }
  NodeAddress address() const { return {"127.0.0.1", port_}; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

TEST(NodeMonitor, TellsWhatANodeIs) {
  PgCluster server({.settings = {{"timezone", "'Asia/Tokyo'"}}});
  server.Connect().Query("CREATE DATABASE other");
  NodeMonitor monitor(ControlAccess(), 20ms, [] {});
  const auto map = MapOf({{"s1", {AddressOf(server)}, ""}, {"s2", {AddressOf(server)}, "other"}});
  EXPECT_FALSE(monitor.CheckedAll(*map));
  EXPECT_EQ(monitor.States(*map).shards[0].last_error,
            "no primary: " + AddressOf(server).ToString() + ": not checked yet");
  monitor.Watch(*map);
  ASSERT_TRUE(Eventually([&] { return monitor.CheckedAll(*map); }));
  const NodeStates states = monitor.States(*map);
  ASSERT_EQ(states.shards.size(), 2u);
  const NodeState* primary = states.of(ShardIndex{0}).Primary();
  ASSERT_NE(primary, nullptr);
  EXPECT_EQ(primary->dbname, "postgres");
  EXPECT_EQ(states.of(ShardIndex{1}).Primary()->dbname, "other");
  EXPECT_EQ(std::to_string(primary->system_identifier),
            server.Connect().Value("SELECT system_identifier FROM pg_control_system()"));
  EXPECT_EQ(primary->timeline, 1u);
  EXPECT_EQ(std::to_string(primary->server_version),
            server.Connect().Value("SHOW server_version_num"));
  EXPECT_THAT(primary->parameters, Contains(Pair("TimeZone", "Asia/Tokyo")));
  EXPECT_THAT(primary->parameters, Contains(Pair("server_encoding", "UTF8")));
  EXPECT_THAT(primary->parameters, Contains(Pair("integer_datetimes", "on")));
  for (const auto& [name, value] : primary->parameters) {
    EXPECT_NE(name, "application_name");
    EXPECT_NE(name, "client_encoding");
  }
  EXPECT_EQ(server.Connect().Value("SELECT count(*) > 0 FROM pg_stat_activity"
                                   " WHERE application_name LIKE 'meridian%'"),
            "t");
}

TEST(NodeMonitor, FollowsAFailover) {
  PgCluster first;
  std::unique_ptr<PgCluster> second = MakeReplica(first);
  std::atomic<int> changes{0};
  NodeMonitor monitor(ControlAccess(), 20ms, [&] { ++changes; });
  const auto map = MapOf({{"s1", {AddressOf(first), AddressOf(*second)}, ""}});
  monitor.Watch(*map);
  const auto shard = [&] { return monitor.States(*map).shards[0]; };
  ASSERT_TRUE(Eventually([&] { return monitor.CheckedAll(*map); }));
  EXPECT_EQ(shard().primary, 0u);
  EXPECT_THAT(shard().replicas, ElementsAre(1));
  const int before = changes;

  first.Stop(PgCluster::StopMode::kImmediate);
  ASSERT_TRUE(Eventually([&] { return !shard().last_error.empty(); }));
  EXPECT_EQ(shard().primary, 0u);
  EXPECT_FALSE(shard().Primary()->reachable);
  second->Connect().Query("SELECT pg_promote()");
  ASSERT_TRUE(Eventually([&] { return shard().primary == 1u; }));
  EXPECT_EQ(shard().last_error, "");
  EXPECT_EQ(shard().Primary()->timeline, 2u);
  EXPECT_GT(changes, before);

  // The old primary comes back and still believes to be one.
  first.Start();
  ASSERT_TRUE(Eventually([&] { return shard().nodes[0].reachable; }));
  EXPECT_EQ(shard().primary, 1u);
  EXPECT_THAT(shard().nodes[0].last_error, HasSubstr("it was replaced"));
  EXPECT_THAT(shard().replicas, IsEmpty());
}

TEST(NodeMonitor, RefusesANodeOfAnotherSystem) {
  PgCluster ours;
  PgCluster stranger({.own_system_identifier = true});
  NodeMonitor monitor(ControlAccess(), 20ms, [] {});
  const auto map = MapOf({{"s1", {AddressOf(ours)}, ""}});
  monitor.Watch(*map);
  ASSERT_TRUE(Eventually([&] { return monitor.States(*map).shards[0].primary == 0u; }));
  const auto wider = MapOf({{"s1", {AddressOf(ours), AddressOf(stranger)}, ""}}, 2);
  monitor.Watch(*wider);
  ASSERT_TRUE(Eventually([&] { return monitor.CheckedAll(*wider); }));
  const ShardNodes shard = monitor.States(*wider).shards[0];
  EXPECT_EQ(shard.primary, 0u);
  EXPECT_THAT(shard.nodes[1].last_error, HasSubstr("not a node of this shard"));
}

TEST(NodeMonitor, ADeadNodeDelaysNobodyAndStopIsQuick) {
  SilentServer silent;
  PgCluster server;
  ShardAccess access = ControlAccess();
  access.login.connect_timeout = 30s;
  NodeMonitor monitor(access, 20ms, [] {});
  const auto map = MapOf({{"dead", {silent.address()}, ""}, {"s1", {AddressOf(server)}, ""}});
  monitor.Watch(*map);
  EXPECT_TRUE(Eventually([&] { return monitor.States(*map).shards[1].Primary() != nullptr; }, 10s));
  EXPECT_FALSE(monitor.CheckedAll(*map));
  const auto start = steady_clock::now();
  monitor.Stop();
  EXPECT_LT(steady_clock::now() - start, 5s);
}

TEST(NodeMonitor, AServerThatHangsIsUnreachableAndDoesNotHoldUpTheEnd) {
  PgCluster server;
  ShardAccess access = ControlAccess();
  access.login.connect_timeout = 300ms;
  NodeMonitor monitor(access, 20ms, [] {});
  const auto map = MapOf({{"s1", {AddressOf(server)}, ""}});
  monitor.Watch(*map);
  ASSERT_TRUE(Eventually([&] { return monitor.States(*map).shards[0].Primary() != nullptr; }));
  const std::string backend = server.Connect().Value(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'meridian'");
  kill(server.pid(), SIGSTOP);
  kill(std::stoi(backend), SIGSTOP);
  EXPECT_TRUE(Eventually([&] { return !monitor.States(*map).shards[0].nodes[0].reachable; }));
  const auto start = steady_clock::now();
  monitor.Stop();
  EXPECT_LT(steady_clock::now() - start, 5s);
  kill(std::stoi(backend), SIGCONT);
  kill(server.pid(), SIGCONT);
}

TEST(NodeMonitor, ATerminatedBackendIsNoDeadNode) {
  PgCluster server;
  std::atomic<int> changes{0};
  NodeMonitor monitor(ControlAccess(), 10ms, [&] { ++changes; });
  const auto map = MapOf({{"s1", {AddressOf(server)}, ""}});
  monitor.Watch(*map);
  ASSERT_TRUE(Eventually([&] { return monitor.CheckedAll(*map) && changes == 1; }));
  const auto backend = [&] {
    return server.Connect()
        .Query("SELECT pid FROM pg_stat_activity WHERE application_name = 'meridian'")
        .rows;
  };
  const auto old = backend();
  server.Connect().Query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
      " WHERE application_name = 'meridian'");
  EXPECT_TRUE(Eventually([&] { return !backend().empty() && backend() != old; }));
  EXPECT_EQ(changes, 1);
}

TEST(NodeMonitor, WatchesTheNodesOfTheMapOnly) {
  PgCluster a, b;
  NodeMonitor monitor(ControlAccess(), 1h, [] {});
  const auto both = MapOf({{"s1", {AddressOf(a)}, ""}, {"s2", {AddressOf(b)}, ""}});
  const auto one = MapOf({{"s2", {AddressOf(b)}, ""}}, 2);
  monitor.Watch(*both);
  ASSERT_TRUE(Eventually([&] { return monitor.CheckedAll(*both); }));
  monitor.Watch(*one);
  EXPECT_TRUE(monitor.CheckedAll(*one));
  EXPECT_FALSE(monitor.CheckedAll(*both));
  EXPECT_NE(monitor.States(*one).shards[0].Primary(), nullptr);
  EXPECT_TRUE(Eventually([&] {
    return a.Connect().Value(
               "SELECT count(*) FROM pg_stat_activity"
               " WHERE application_name = 'meridian'") == "0";
  }));

  // At an interval of an hour only this tells of the end.
  b.Stop();
  monitor.CheckNow();
  EXPECT_TRUE(Eventually([&] { return !monitor.States(*one).shards[0].nodes[0].reachable; }));
}

}  // namespace
}  // namespace meridian
