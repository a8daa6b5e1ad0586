#include "proxy/pool/server_pools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/pool/pools_fixture.h"

namespace meridian {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ServerPoolsTest : public PoolsFixture {};

TEST_F(ServerPoolsTest, OpensOneForWhoeverAsksFirst) {
  EXPECT_EQ(pool.profile(), nullptr);
  FakeSession& session = Waiting();
  EXPECT_EQ(host.last_node, kAnn.node);
  worker.LogInAll();
  ASSERT_NE(session.server, nullptr);
  EXPECT_EQ(session.server->backend_pid, 77u);
  EXPECT_EQ(session.server->settings.get(), worker.settings.Empty().get());
  EXPECT_EQ(&session.server->pool, &pool);
  ASSERT_NE(pool.profile(), nullptr);
  EXPECT_EQ(pool.profile()->defaults, Defaults());
  EXPECT_EQ(&pools.Get(kAnn, worker.metrics), &pool);
}

TEST_F(ServerPoolsTest, AnIdleOneIsGivenAtOnceTheOneUsedLastFirst) {
  FakeSession& a = Served();
  FakeSession& b = Served();
  Server* last = b.server;
  a.Return(pools);
  b.Return(pools);
  FakeSession c;
  ASSERT_TRUE(c.Acquire(pools, pool));
  EXPECT_EQ(c.server, last);
  EXPECT_EQ(worker.metrics.waits.Get(), 2u);  // a and b only
}

TEST_F(ServerPoolsTest, WaitersAreServedInTheirOrder) {
  FakeSession& a = Served();
  FakeSession& b = Served();
  FakeSession& c = Waiting();
  FakeSession& d = Waiting();
  EXPECT_EQ(host.connecting.size(), 0u);  // pool_size
  b.Return(pools);
  EXPECT_NE(c.server, nullptr);
  EXPECT_EQ(d.server, nullptr);
  a.Return(pools);
  EXPECT_NE(d.server, nullptr);
}

TEST_F(ServerPoolsTest, WhatANewOwnerSendsIsFlushed) {
  FakeSession& a = Served();
  Served();
  FakeSession& c = Waiting();
  c.on_server = [](Server& server) { wire::AppendSync(server.out.Own()); };
  const int flushes = host.flushes;
  a.Return(pools);
  EXPECT_EQ(host.flushes, flushes + 1);
}

TEST_F(ServerPoolsTest, BytesGoToTheOwner) {
  FakeSession& a = Served();
  Feed(*a.server, "N\0\0\0");
  EXPECT_EQ(a.bytes, "N");  // the literal ends at its first zero byte
}

TEST_F(ServerPoolsTest, ManySessionsThatReturnAtOnceDoNotRecurse) {
  FakeSession& first = Served();
  Served();
  std::deque<FakeSession> many(50'000);
  for (FakeSession& session : many) {
    ASSERT_FALSE(session.Acquire(pools, pool));
    session.on_server = [this, &session](Server&) { session.Return(pools); };
  }
  first.Return(pools);
  EXPECT_EQ(pool.Stats(host.now_us).waiting, 0u);
  EXPECT_EQ(pool.Stats(host.now_us).idle, 1u);
}

TEST_F(ServerPoolsTest, ASessionMayAcquireFromItsCallback) {
  FakeSession& a = Served();
  FakeSession& b = Served();
  FakeSession& c = Waiting();
  FakeSession again;
  c.on_server = [&](Server&) {
    EXPECT_FALSE(again.Acquire(pools, pool));
    b.Return(pools);
    EXPECT_EQ(again.server, nullptr);  // after this callback
  };
  a.Return(pools);
  EXPECT_NE(again.server, nullptr);
  EXPECT_EQ(host.connecting.size(), 0u);
}

TEST_F(ServerPoolsTest, ForgottenWaitersAreNotCalled) {
  FakeSession& a = Served();
  Served();
  FakeSession& c = Waiting();
  FakeSession& d = Waiting();
  pools.Forget(c);
  pools.Forget(c);
  a.Return(pools);
  EXPECT_EQ(c.server, nullptr);
  EXPECT_NE(d.server, nullptr);
}

TEST_F(ServerPoolsTest, ForgetEndsTheWaitsInAllPools) {
  Pool& bob = pools.Get({kAnn.node, "shop", "bob"}, worker.metrics);
  FakeSession session;
  EXPECT_FALSE(session.Acquire(pools, pool));
  EXPECT_FALSE(session.Acquire(pools, bob));
  EXPECT_FALSE(session.Acquire(pools, bob));
  pools.Forget(session);
  EXPECT_EQ(worker.metrics.waiting.Get(), 0);
  EXPECT_EQ(bob.Stats(host.now_us).waiting, 0u);
  pools.CloseAll();
  EXPECT_TRUE(session.failures.empty());
}

TEST_F(ServerPoolsTest, QueueTimeoutSaysWhatToRaise) {
  Served();
  Served();
  FakeSession& c = Waiting();
  worker.Tick(5 * kSecond - 1);
  EXPECT_TRUE(c.failures.empty());
  EXPECT_EQ(pool.Stats(host.now_us).oldest_wait_us, 5 * kSecond - 1);
  worker.Tick(1);
  ASSERT_EQ(c.failures.size(), 1u);
  const SqlError error = c.LastFailure();
  EXPECT_EQ(error.sqlstate, "53300");
  EXPECT_THAT(error.message, HasSubstr("5 s"));
  EXPECT_THAT(error.detail, HasSubstr("2 of 2 connections of pool ann@10.0.0.1:5432/shop"));
  EXPECT_THAT(error.hint, HasSubstr("pool_size"));
  EXPECT_EQ(worker.metrics.wait_timeouts.Get(), 1u);
  EXPECT_EQ(worker.metrics.wait_us.Get(), 5 * kSecond);
}

TEST_F(ServerPoolsTest, RefusedConnectionsFailFast) {
  FakeSession& a = Waiting();
  FakeSession& b = Waiting();
  ASSERT_EQ(host.connecting.size(), 2u);
  pools.OnServerClosed(*host.connecting.back(), "Connection refused");
  EXPECT_TRUE(a.failures.empty());  // the other one is still on its way
  pools.OnServerClosed(*host.connecting.back(), "Connection refused");
  ASSERT_EQ(a.failures.size(), 1u);
  ASSERT_EQ(b.failures.size(), 1u);
  EXPECT_EQ(a.LastFailure().sqlstate, "08006");
  EXPECT_EQ(a.LastFailure().message, "could not connect to node 10.0.0.1:5432: Connection refused");
  EXPECT_EQ(worker.metrics.server_login_failures.Get(), 2u);

  // Until the pool tries again it is known what would come of it.
  FakeSession& c = Waiting();
  EXPECT_EQ(host.connecting.size(), 0u);
  EXPECT_TRUE(c.failures.empty());  // not from within Acquire
  worker.Tick();
  EXPECT_EQ(c.failures.size(), 1u);
  host.now_us += kSecond;
  FakeSession& d = Waiting();
  worker.LogInAll();
  EXPECT_NE(d.server, nullptr);
}

TEST_F(ServerPoolsTest, AFailedLoginDoesNotFailThoseWhomOthersCanServe) {
  FakeSession& a = Served();
  FakeSession& b = Waiting();
  ASSERT_EQ(host.connecting.size(), 1u);
  Feed(*host.connecting[0], ErrorBytes("53300", "sorry, too many clients already"));
  EXPECT_TRUE(b.failures.empty());
  EXPECT_EQ(host.connecting.size(), 0u);
  worker.Tick();
  EXPECT_TRUE(b.failures.empty());
  worker.Tick(kSecond);
  EXPECT_EQ(host.connecting.size(), 1u);  // tried again
  a.Return(pools);
  EXPECT_NE(b.server, nullptr);
}

TEST_F(ServerPoolsTest, NewCredentialsAreTriedAtOnce) {
  FakeSession& a = Waiting();
  Feed(*host.connecting[0], ErrorBytes("28P01", "password authentication failed"));
  EXPECT_EQ(a.LastFailure().sqlstate, "28P01");
  pools.SetCredentials(pool, {.password = "new"});
  Waiting();
  EXPECT_EQ(host.connecting.size(), 1u);
}

TEST_F(ServerPoolsTest, ASessionThatTriesAgainFromItsFailureDoesNotSpin) {
  FakeSession& a = Waiting();
  a.on_failed = [&] { a.Acquire(pools, pool); };
  pools.OnServerClosed(*host.connecting[0], "Connection refused");
  EXPECT_EQ(a.failures.size(), 1u);
  worker.Tick();
  EXPECT_EQ(a.failures.size(), 2u);
}

TEST_F(ServerPoolsTest, ALoginHasItsTime) {
  FakeSession& a = Waiting();
  worker.Tick(3 * kSecond - 1);
  EXPECT_TRUE(a.failures.empty());
  worker.Tick(1);
  ASSERT_EQ(a.failures.size(), 1u);
  EXPECT_EQ(a.LastFailure().sqlstate, "08006");
  EXPECT_THAT(a.LastFailure().message, HasSubstr("connect_timeout"));
}

TEST_F(ServerPoolsTest, KeysAreDerivedOnceAndKept) {
  using std::string_literals::operator""s;
  pools.SetCredentials(pool, {.password = "pencil"});
  FakeSession& a = Waiting();
  Server& server = *host.connecting[0];
  const ScramKeys keys = DeriveKeys("pencil", "salt", 1).value();
  const auto challenge = [&](Server& asked) {
    pools.OnConnected(asked);
    FakeHost::Sent(asked);
    std::string offer;
    wire::AppendAuthentication(offer, wire::kAuthSasl, "SCRAM-SHA-256\0\0"s);
    Feed(asked, offer);
    const std::string first = FakeHost::Sent(asked);
    const std::string nonce = first.substr(first.find(",r=") + 3);
    std::string bytes;
    wire::AppendAuthentication(bytes, wire::kAuthSaslContinue,
                               "r=" + nonce + "x,s=" + Base64Encode("salt") + ",i=1");
    Feed(asked, bytes);
  };
  challenge(server);
  ASSERT_EQ(host.key_requests.size(), 1u);
  EXPECT_EQ(host.key_requests[0].password, "pencil");
  EXPECT_EQ(host.key_requests[0].salt, "salt");
  const int flushes = host.flushes;
  pools.OnKeys(host.key_requests[0].server_id, keys);
  EXPECT_EQ(host.flushes, flushes + 1);
  EXPECT_THAT(FakeHost::Sent(server), HasSubstr(",p="));
  // This fake server cannot prove itself.
  pools.OnServerClosed(server, "reset");
  EXPECT_EQ(a.failures.size(), 1u);
  pools.OnKeys(host.key_requests[0].server_id, keys);  // of a server that is gone
}

TEST_F(ServerPoolsTest, KeysThatCannotBeDerivedFailTheLogin) {
  FakeSession& a = Waiting();
  pools.OnKeys(host.connecting[0]->id, SqlStatus("22023", "empty password"));
  EXPECT_EQ(a.LastFailure().sqlstate, "22023");
}

TEST_F(ServerPoolsTest, TheOwnerLearnsOfALossAndTheSlotIsFree) {
  FakeSession& a = Served();
  Served();
  FakeSession& c = Waiting();
  pools.OnServerClosed(*a.server, "Connection reset by peer");
  ASSERT_EQ(a.losses.size(), 1u);
  EXPECT_EQ(a.losses[0].sqlstate, "08006");
  EXPECT_EQ(a.losses[0].message,
            "the connection to node 10.0.0.1:5432 was lost: Connection reset by peer");
  worker.LogInAll();
  EXPECT_NE(c.server, nullptr);
}

TEST_F(ServerPoolsTest, AServerMayBeDroppedWithinItsOwnEvent) {
  class Dropper : public FakeSession {
   public:
    explicit Dropper(ServerPools& its_pools) : pools(its_pools) {}
    void OnServerBytes(Server& dropped, std::string_view) {
      Return(pools, Release::kDrop);
      EXPECT_EQ(dropped.state, Server::State::kClosing);  // it is still there to look at
      pools.Return(dropped, Release::kDrop);              // and a second return does no harm
    }
    ServerPools& pools;
  };
  FakeSession& a = Served();
  Dropper dropper(pools);
  Server& server = *a.server;
  a.server = nullptr;
  dropper.Take(&server);
  Feed(server, "x");
  EXPECT_TRUE(server.out.empty());
  Feed(server, "y");  // what the driver had read before it knew
  pools.OnServerClosed(server, "late");
  worker.Tick();
  EXPECT_EQ(host.disconnects, 1);
}

TEST_F(ServerPoolsTest, IdleAndOldConnectionsAreClosed) {
  FakeSession& a = Served();
  FakeSession& b = Served();
  a.Return(pools);
  worker.Tick(30 * kSecond);
  b.Return(pools);
  worker.Tick(30 * kSecond);
  EXPECT_EQ(pool.Stats(host.now_us).idle, 1u);  // b's
  EXPECT_EQ(host.farewell, std::string("X\0\0\0\4", 5));
  FakeSession c;
  ASSERT_TRUE(c.Acquire(pools, pool));
  worker.Tick(600 * kSecond);
  ASSERT_NE(c.server, nullptr);
  c.Return(pools);
  EXPECT_EQ(host.open.size(), 0u);
}

TEST_F(ServerPoolsTest, PausedPoolsMakeWait) {
  FakeSession& a = Served();
  pools.Pause(kAnn.node);
  a.Return(pools);
  FakeSession& b = Waiting();
  EXPECT_EQ(host.connecting.size(), 0u);
  Pool& later = pools.Get({kAnn.node, "shop", "bob"}, worker.metrics);
  Pool& elsewhere = pools.Get({{"10.0.0.2", 5432}, "shop", "ann"}, worker.metrics);
  FakeSession c, d;
  EXPECT_FALSE(c.Acquire(pools, later));
  EXPECT_EQ(host.connecting.size(), 0u);
  EXPECT_FALSE(d.Acquire(pools, elsewhere));
  EXPECT_EQ(host.connecting.size(), 1u);
  worker.LogInAll();
  pools.Resume(kAnn.node);
  EXPECT_NE(b.server, nullptr);
  EXPECT_EQ(host.connecting.size(), 1u);  // c's
  worker.LogInAll();
  // CheckCounts looks at one pool.
  c.Return(pools, Release::kDrop);
  d.Return(pools, Release::kDrop);
}

TEST_F(ServerPoolsTest, WhoWaitedForAPauseIsToldSo) {
  pools.Pause(kAnn.node);
  FakeSession& a = Waiting();
  worker.Tick(5 * kSecond);
  EXPECT_EQ(a.LastFailure().sqlstate, "57P03");
  EXPECT_THAT(a.LastFailure().message, HasSubstr("paused"));
}

TEST_F(ServerPoolsTest, RetireClosesIdleNowAndTheOthersWhenReturned) {
  FakeSession& a = Served();
  FakeSession& b = Served();
  b.Return(pools);
  pools.Retire(kAnn.node);
  EXPECT_EQ(host.open.size(), 1u);
  FakeSession& c = Waiting();
  pools.Retire(kAnn.node);  // closes the login and begins it anew
  ASSERT_EQ(host.connecting.size(), 1u);
  a.Return(pools);
  EXPECT_EQ(c.server, nullptr);
  worker.LogInAll();
  c.Return(pools);
  EXPECT_EQ(pool.Stats(host.now_us).idle, 1u);
}

TEST_F(ServerPoolsTest, ConnectionsWithOldDefaultsAreRetired) {
  FakeSession& a = Served();
  Server* old = a.server;
  FakeSession& b = Waiting();
  worker.LogIn(*host.connecting[0], "app");  // ALTER ROLE ann SET search_path = app
  EXPECT_EQ(pool.profile()->defaults, Defaults("app"));
  a.Return(pools);
  EXPECT_EQ(old->state, Server::State::kClosing);
  b.Return(pools);
  EXPECT_EQ(pool.Stats(host.now_us).idle, 1u);
}

TEST_F(ServerPoolsTest, CloseAllEndsEverything) {
  FakeSession& a = Served();
  FakeSession& b = Served();
  b.Return(pools);
  FakeSession c;
  pools.Pause(kAnn.node);
  EXPECT_FALSE(c.Acquire(pools, pool));
  pools.CloseAll();
  ASSERT_EQ(a.losses.size(), 1u);
  EXPECT_EQ(a.losses[0].sqlstate, "57P01");
  EXPECT_EQ(c.LastFailure().sqlstate, "57P01");
  EXPECT_EQ(host.open.size(), 0u);
  pools.Resume(kAnn.node);
  FakeSession d;
  EXPECT_FALSE(d.Acquire(pools, pool));
  worker.Tick();
  EXPECT_EQ(d.LastFailure().sqlstate, "57P01");
}

TEST_F(ServerPoolsTest, ALowerLimitClosesWhatIsAboveIt) {
  FakeSession& a = Served();
  FakeSession& b = Served();
  budgets.SetLimit(1);
  EXPECT_TRUE(*worker.woken);
  worker.Wake();
  EXPECT_EQ(host.open.size(), 2u);
  a.Return(pools);
  EXPECT_EQ(host.open.size(), 1u);
  b.Return(pools);
  EXPECT_EQ(pool.Stats(host.now_us).idle, 1u);
  budgets.SetLimit(0);
  worker.Wake();
  EXPECT_EQ(host.open.size(), 0u);
}

TEST_F(ServerPoolsTest, VisitorsSeeAll) {
  Served();
  Waiting();
  int servers = 0;
  pools.ForEachServer([&](Server&) { ++servers; });
  EXPECT_EQ(servers, 2);
  std::vector<std::string> keys;
  pools.ForEachPool([&](Pool& visited) { keys.push_back(visited.key().ToString()); });
  EXPECT_THAT(keys, ElementsAre("ann@10.0.0.1:5432/shop"));
}

TEST(ServerPools, TheDestructorTellsNobody) {
  PoolBudgets budgets(1);
  {
    FakeWorker worker(budgets, {});
    FakeSession session, waiting;
    Pool& pool = worker.pools.Get(kAnn, worker.metrics);
    EXPECT_FALSE(session.Acquire(worker.pools, pool));
    worker.LogInAll();
    EXPECT_FALSE(waiting.Acquire(worker.pools, pool));
  }
  EXPECT_EQ(budgets.Of(kAnn.ToString()).used(), 0u);
  EXPECT_EQ(budgets.Of(kAnn.ToString()).waiting_workers(), 0u);
  EXPECT_EQ(budgets.Of(kAnn.ToString()).user_workers(), 0u);
}

}  // namespace
}  // namespace meridian
