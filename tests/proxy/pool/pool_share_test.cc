// One budget, several workers: nobody starves, and nobody passes the limit.
#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "proxy/pool/pool_share.h"
#include "tests/proxy/pool/fake_host.h"

namespace meridian {
namespace {

// Workers that share a budget; their wake-ups are handled when the test says so.
class PoolShareTest : public testing::Test {
 protected:
  void Start(size_t workers, size_t limit) {
    budgets.SetLimit(limit);
    for (size_t i = 0; i < workers; ++i) {
      FakeWorker& worker =
          all.emplace_back(budgets, PoolLimits{}, [this, i] { to_wake.push_back(i); });
      pool.push_back(&worker.pools.Get(kAnn, worker.metrics));
      sessions.emplace_back();
    }
  }
  // A new session of the worker.
  FakeSession& Add(size_t worker) {
    FakeSession& session = sessions[worker].emplace_back();
    session.Acquire(all[worker].pools, *pool[worker]);
    return session;
  }
  size_t Held(size_t worker) const { return all[worker].host.open.size(); }
  size_t Used() { return budgets.Of(kAnn.ToString()).used(); }
  // Everything that is under way happens.
  void Settle() {
    for (int round = 0; round < 20; ++round) {
      for (const size_t worker : std::exchange(to_wake, {})) all[worker].Wake();
      for (FakeWorker& worker : all) worker.LogInAll();
    }
    size_t held = 0;
    for (size_t i = 0; i < all.size(); ++i) held += Held(i);
    EXPECT_EQ(held, Used());
  }
  void Tick(uint64_t after_us) {
    for (FakeWorker& worker : all) worker.Tick(after_us);
    Settle();
  }
  // Each session of the worker that has a connection gives it back and asks again.
  void Turn(size_t worker) {
    for (FakeSession& session : sessions[worker]) {
      if (session.server == nullptr) continue;
      session.Return(all[worker].pools);
      ++turns[worker];
      session.Acquire(all[worker].pools, *pool[worker]);
    }
  }

  PoolBudgets budgets{0};
  std::vector<size_t> to_wake;  // in the order in which they were woken
  std::deque<FakeWorker> all;
  std::vector<Pool*> pool;
  std::deque<std::deque<FakeSession>> sessions;
  std::map<size_t, int> turns;
};

TEST_F(PoolShareTest, TheLimitHoldsOverAllWorkers) {
  Start(2, 3);
  for (int i = 0; i < 5; ++i) {
    Add(0);
    Add(1);
  }
  EXPECT_EQ(Used(), 3u);
  Settle();
  EXPECT_EQ(Used(), 3u);
}

TEST_F(PoolShareTest, OnlyOneWorkerUsesAll) {
  Start(4, 8);
  for (int i = 0; i < 20; ++i) Add(2);
  Settle();
  EXPECT_EQ(Held(2), 8u);
}

TEST_F(PoolShareTest, IdleConnectionsAreLentAtOnceToOneThatHasNone) {
  Start(2, 4);
  for (int i = 0; i < 4; ++i) Add(0);
  Settle();
  for (FakeSession& session : sessions[0]) session.Return(all[0].pools);
  EXPECT_EQ(Held(0), 4u);
  FakeSession& starving = Add(1);
  Settle();
  EXPECT_NE(starving.server, nullptr);
  EXPECT_EQ(Held(0), 3u);  // no more than was needed
}

TEST_F(PoolShareTest, WithinTheFairShareOnlyWhatIsIdleForAWhileIsLent) {
  Start(2, 4);
  for (int i = 0; i < 2; ++i) Add(0);
  Settle();
  for (int i = 0; i < 3; ++i) Add(1);
  Settle();
  EXPECT_EQ(Held(1), 2u);
  for (FakeSession& session : sessions[0]) session.Return(all[0].pools);
  Settle();
  EXPECT_EQ(Held(0), 2u);
  Tick(PoolShare::kLendAfterUs);
  EXPECT_EQ(Held(0), 1u);
  EXPECT_EQ(sessions[1].back().server != nullptr, true);
}

TEST_F(PoolShareTest, ABusyWorkerGivesUpDownToTheFairShare) {
  Start(2, 4);
  for (int i = 0; i < 10; ++i) Add(0);
  Settle();
  EXPECT_EQ(Held(0), 4u);
  for (int i = 0; i < 10; ++i) Add(1);
  for (int i = 0; i < 10; ++i) {
    Turn(0);
    Turn(1);
    Settle();
  }
  EXPECT_EQ(Held(0), 2u);
  EXPECT_EQ(Held(1), 2u);
  // And there it stays: no connection is closed for the other's sake any more.
  const int disconnects = all[0].host.disconnects + all[1].host.disconnects;
  for (int i = 0; i < 50; ++i) {
    Turn(0);
    Turn(1);
    Tick(10'000);
  }
  EXPECT_EQ(all[0].host.disconnects + all[1].host.disconnects, disconnects);
}

TEST_F(PoolShareTest, ASingleConnectionGoesRound) {
  Start(3, 1);
  for (size_t worker = 0; worker < 3; ++worker) {
    Add(worker);
    Add(worker);
  }
  for (int i = 0; i < 1'000; ++i) {
    for (size_t worker = 0; worker < 3; ++worker) Turn(worker);
    Tick(10'000);
    ASSERT_LE(Used(), 1u);
  }
  for (size_t worker = 0; worker < 3; ++worker) EXPECT_GT(turns[worker], 100) << worker;
  // Not at each release: that would be a login for each transaction.
  EXPECT_LT(all[0].host.disconnects, 60);
}

TEST_F(PoolShareTest, AWorkerThatNoLongerWaitsLeavesTheSlotsToTheOthers) {
  Start(2, 1);
  FakeSession& a = Add(0);
  Settle();
  FakeSession& b = Add(1);
  Settle();
  all[1].pools.Forget(b);
  EXPECT_EQ(budgets.Of(kAnn.ToString()).waiting_workers(), 0u);
  a.Return(all[0].pools);
  Settle();
  EXPECT_EQ(Held(0), 1u);
}

TEST_F(PoolShareTest, WhoeverIsDownDoesNotHoldUpTheOthers) {
  Start(2, 1);
  FakeSession& a = Add(0);
  ASSERT_EQ(all[0].host.connecting.size(), 1u);
  FakeSession& b = Add(1);
  all[0].pools.OnServerClosed(*all[0].host.connecting[0], "refused");
  EXPECT_EQ(a.failures.size(), 1u);
  Add(0);  // waits for the time of the next try
  Settle();
  EXPECT_NE(b.server, nullptr);
}

// With real threads: run under the thread sanitizer, too.
TEST(PoolShareThreads, NobodyStarvesAndTheLimitHolds) {
  constexpr size_t kWorkers = 4;
  constexpr size_t kLimit = 3;
  PoolBudgets budgets(kLimit);
  PoolBudget& budget = budgets.Of(kAnn.ToString());
  std::array<std::atomic<int>, kWorkers> served{};
  std::atomic<bool> stop = false;
  std::atomic<bool> passed_limit = false;
  std::deque<FakeWorker> workers;
  for (size_t i = 0; i < kWorkers; ++i) workers.emplace_back(budgets, PoolLimits{});

  const auto run = [&](size_t number) {
    FakeWorker& worker = workers[number];
    Pool& pool = worker.pools.Get(kAnn, worker.metrics);
    std::deque<FakeSession> sessions(3);
    for (FakeSession& session : sessions) session.Acquire(worker.pools, pool);
    while (!stop) {
      worker.host.now_us += 1'000;
      worker.Wake();
      worker.LogInAll();
      if (budget.used() > kLimit) passed_limit = true;
      for (FakeSession& session : sessions) {
        if (session.server == nullptr) continue;
        session.Return(worker.pools);
        ++served[number];
        session.Acquire(worker.pools, pool);
      }
      if (worker.host.now_us % 100'000 == 0) worker.pools.OnTick();
      std::this_thread::yield();
    }
    worker.pools.CloseAll();
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kWorkers; ++i) threads.emplace_back(run, i);
  const auto all_served = [&] {
    return std::all_of(served.begin(), served.end(), [](const auto& count) { return count > 100; });
  };
  for (int i = 0; i < 3'000 && !all_served(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(all_served());
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(passed_limit);
  EXPECT_EQ(budget.used(), 0u);
  EXPECT_EQ(budget.waiting_workers(), 0u);
  EXPECT_EQ(budget.user_workers(), 0u);
}

}  // namespace
}  // namespace meridian
