// A worker's pools with a limit of two connections, for tests.
#pragma once

#include <gtest/gtest.h>

#include <deque>

#include "tests/proxy/pool/fake_host.h"

namespace meridian {

constexpr uint64_t kSecond = 1'000'000;  // in microseconds

class PoolsFixture : public testing::Test {
 protected:
  static PoolLimits Limits() {
    return {.pool_size = 2,
            .queue_timeout_us = 5 * kSecond,
            .connect_timeout_us = 3 * kSecond,
            .server_idle_timeout_us = 60 * kSecond,
            .server_lifetime_us = 600 * kSecond};
  }

  // What the metrics say must be what is; checked after each test, too.
  void CheckCounts() {
    const PoolStats stats = pool.Stats(host.now_us);
    EXPECT_EQ(worker.metrics.servers_active.Get(), static_cast<int64_t>(stats.active));
    EXPECT_EQ(worker.metrics.servers_idle.Get(), static_cast<int64_t>(stats.idle));
    EXPECT_EQ(worker.metrics.servers_login.Get(), static_cast<int64_t>(stats.login));
    EXPECT_EQ(worker.metrics.waiting.Get(), static_cast<int64_t>(stats.waiting));
    EXPECT_EQ(worker.metrics.servers_opened.Get() - worker.metrics.servers_closed.Get(),
              stats.active + stats.idle);
    EXPECT_EQ(host.open.size(), stats.active + stats.idle + stats.login);
    EXPECT_EQ(budgets.Of(kAnn.ToString()).used(), host.open.size());
  }
  void TearDown() override { CheckCounts(); }

  // A session that has a connection.
  FakeSession& Served() {
    FakeSession& session = sessions.emplace_back();
    if (!session.Acquire(pools, pool)) worker.LogInAll();
    EXPECT_NE(session.server, nullptr);
    return session;
  }
  FakeSession& Waiting() {
    FakeSession& session = sessions.emplace_back();
    EXPECT_FALSE(session.Acquire(pools, pool));
    return session;
  }
  void Feed(Server& server, std::string_view bytes) { pools.OnServerBytes(server, bytes); }

  PoolBudgets budgets{2};
  FakeWorker worker{budgets, Limits()};
  FakeHost& host = worker.host;
  ServerPools& pools = worker.pools;
  Pool& pool = pools.Get(kAnn, worker.metrics);
  std::deque<FakeSession> sessions;
};

}  // namespace meridian
