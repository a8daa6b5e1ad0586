// A driver of ServerPools without sockets, and what a PostgreSQL server would send to it: for tests
// that play the server byte by byte.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "proxy/pool/server_login.h"
#include "proxy/pool/server_pools.h"
#include "proxy/wire/message_writer.h"

namespace meridian {

inline const PoolKey kAnn{{"10.0.0.1", 5432}, "shop", "ann"};

// What a server says when it trusts the client, until it is ready.
inline std::string TrustLogin(uint32_t pid = 77) {
  std::string bytes;
  wire::AppendAuthentication(bytes, wire::kAuthOk);
  wire::AppendParameterStatus(bytes, "server_version", "15.20");
  wire::AppendParameterStatus(bytes, "TimeZone", "UTC");
  wire::AppendBackendKeyData(bytes, pid, "\1\2\3\4");
  wire::AppendReadyForQuery(bytes, wire::kIdle);
  return bytes;
}

constexpr std::string_view kDefaultPath = "\"$user\", public";

// The profile's defaults behind TrustLogin and DefaultsAnswer.
inline std::vector<Settings::Entry> Defaults(std::string_view path = kDefaultPath) {
  return {{"search_path", std::string(path)},
          {"default_transaction_isolation", "read committed"},
          {"default_transaction_read_only", "off"}};
}

inline std::string DefaultsAnswer(std::string_view path = kDefaultPath) {
  std::string bytes;
  wire::AppendTextRowDescription(bytes, {"current_setting", "current_setting", "current_setting"});
  wire::AppendTextDataRow(bytes, {path, "read committed", "off"});
  wire::AppendCommandComplete(bytes, "SELECT 1");
  wire::AppendReadyForQuery(bytes, wire::kIdle);
  return bytes;
}

inline std::string ErrorBytes(std::string_view sqlstate, std::string message,
                              wire::Severity severity = wire::Severity::kFatal) {
  std::string bytes;
  wire::AppendError(bytes, severity, {std::string(sqlstate), std::move(message), "", "", 0});
  return bytes;
}

inline std::string CommandAnswer(std::string_view tag, char status = wire::kIdle) {
  std::string bytes;
  wire::AppendCommandComplete(bytes, tag);
  wire::AppendReadyForQuery(bytes, status);
  return bytes;
}

inline std::string QueryBytes(std::string_view text) {
  std::string bytes;
  wire::AppendQuery(bytes, text);
  return bytes;
}

class FakeHost : public PoolHost {
 public:
  struct KeyRequest {
    uint64_t server_id;
    std::string password, salt;
    int iterations;
  };

  void Connect(Server& server, const NodeAddress& node) override {
    EXPECT_TRUE(open.insert(&server).second);
    connecting.push_back(&server);
    last_node = node;
  }
  void Flush(Server& server) override {
    EXPECT_TRUE(open.contains(&server));
    ++flushes;
  }
  void Disconnect(Server& server) override {
    EXPECT_EQ(open.erase(&server), 1u) << "disconnected twice";
    std::erase(connecting, &server);
    farewell = Sent(server);
    ++disconnects;
  }
  void DeriveKeys(uint64_t server_id, std::string password, std::string salt,
                  int iterations) override {
    key_requests.push_back({server_id, std::move(password), std::move(salt), iterations});
  }
  uint64_t NowUs() override { return now_us; }

  // What the pools or a session have sent to the server since the last call.
  static std::string Sent(Server& server) {
    std::string bytes;
    server.out.MoveRest(0, bytes);
    return bytes;
  }

  uint64_t now_us = 1'000'000'000;
  std::set<Server*> open;
  std::vector<Server*> connecting;  // not yet logged in by LogIn
  std::vector<KeyRequest> key_requests;
  NodeAddress last_node;
  std::string farewell;  // what stood in `out` at the last Disconnect
  int flushes = 0;
  int disconnects = 0;
};

// A session, as far as pools see it.
class FakeSession : public PoolClient, public ServerOwner {
 public:
  void OnServer(Server& server) override {
    Take(&server);
    if (on_server) on_server(server);
  }
  void OnServerFailed(const absl::Status& status) override {
    failures.push_back(status);
    if (on_failed) on_failed();
  }
  void OnServerBytes(Server& server, std::string_view chunk) override {
    bytes.append(chunk);
    // As a session would, so that the stream stands where the bytes end.
    for (;;) {
      const auto event = server.stream.Next(chunk);
      if (event.kind != wire::MessageStream::Kind::kMessage &&
          event.kind != wire::MessageStream::Kind::kChunk) {
        break;
      }
      if (event.type == wire::kReadyForQuery) server.transaction_status = event.body()[0];
    }
  }
  void OnServerClosed(Server& closed, const SqlError& reason) override {
    EXPECT_EQ(server, &closed);
    server = nullptr;
    losses.push_back(reason);
  }
  void Take(Server* taken) {
    server = taken;
    if (taken != nullptr) taken->owner = this;
  }
  bool Acquire(ServerPools& pools, Pool& pool) {
    Take(pools.Acquire(pool, *this));
    return server != nullptr;
  }
  void Return(ServerPools& pools, Release how = Release::kClean) {
    Server* returned = server;
    server = nullptr;
    pools.Return(*returned, how);
  }
  SqlError LastFailure() const { return ToSqlError(failures.back()); }

  Server* server = nullptr;
  std::string bytes;
  std::vector<absl::Status> failures;
  std::vector<SqlError> losses;
  std::function<void(Server&)> on_server;
  std::function<void()> on_failed;
};

// The pools of one worker over a FakeHost.
struct FakeWorker {
  FakeWorker(PoolBudgets& budgets, PoolLimits limits) : pools(host, budgets, settings, limits) {
    budgets.AddWorker([flag = woken] { *flag = true; });
  }
  FakeWorker(PoolBudgets& budgets, PoolLimits limits, std::function<void()> waker)
      : pools(host, budgets, settings, limits) {
    budgets.AddWorker([flag = woken, waker = std::move(waker)] {
      *flag = true;
      waker();
    });
  }

  // Ends a login that was begun, as a trusting server does.
  void LogIn(Server& server, std::string_view path = kDefaultPath) {
    std::erase(host.connecting, &server);
    pools.OnConnected(server);
    FakeHost::Sent(server);
    pools.OnServerBytes(server, TrustLogin());
    EXPECT_EQ(FakeHost::Sent(server), QueryBytes(ServerLogin::DefaultsQuery()));
    pools.OnServerBytes(server, DefaultsAnswer(path));
  }
  void LogInAll() {
    while (!host.connecting.empty()) LogIn(*host.connecting.front());
  }
  void Tick(uint64_t after_us = 100'000) {
    host.now_us += after_us;
    pools.OnTick();
  }
  // Handles the wake-up, if there was one.
  void Wake() {
    if (woken->exchange(false)) pools.OnSlotsFreed();
  }

  SettingsRegistry settings;
  FakeHost host;
  ShardMetrics metrics;
  ServerPools pools;
  // Outlives the worker in its waker.
  std::shared_ptr<std::atomic<bool>> woken = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace meridian
