// What becomes of a connection that its session has given back: cleaned, held back while cancel
// requests may still hit it, idle without an owner.
#include <gtest/gtest.h>

#include "tests/proxy/pool/pools_fixture.h"

namespace meridian {
namespace {

class ReturnedServersTest : public PoolsFixture {};

TEST_F(ReturnedServersTest, NotCleanIsNeverGivenAway) {
  using std::string_literals::operator""s;
  const std::vector<std::function<void(Server&)>> spoil = {
      [](Server& server) { server.transaction_status = wire::kInTransaction; },
      [](Server& server) { server.transaction_status = wire::kFailedTransaction; },
      [](Server& server) { server.transaction_status = '?'; },
      [](Server& server) { wire::AppendSync(server.out.Own()); },
      [](Server& server) {
        std::string_view part("D\0\0\1", 4);
        server.stream.Next(part);
      },
      [](Server& server) {
        std::string_view part("D\0\0\1\0xx", 7);
        server.stream.Next(part);
      },
  };
  for (size_t i = 0; i < spoil.size(); ++i) {
    FakeSession& session = Served();
    spoil[i](*session.server);
    session.Return(pools);
    EXPECT_EQ(host.disconnects, static_cast<int>(i + 1));
    EXPECT_EQ(host.open.size(), 0u);
    EXPECT_EQ(host.farewell.find('X'), std::string::npos);  // could end up within a message
  }
}

TEST_F(ReturnedServersTest, AServerThatReadyForQueryCutInTwoIsClean) {
  FakeSession& a = Served();
  const std::string answer = CommandAnswer("SELECT 1");
  Feed(*a.server, answer.substr(0, answer.size() - 1));
  Feed(*a.server, answer.substr(answer.size() - 1));
  a.Return(pools);
  EXPECT_EQ(pool.Stats(host.now_us).idle, 1u);
}

TEST_F(ReturnedServersTest, ResetDiscardsAllAndForgetsWhatWasThere) {
  FakeSession& a = Served();
  Server& server = *a.server;
  server.settings = worker.settings.Intern({{"work_mem", "1MB"}});
  server.prepared.Add(1);
  server.unnamed_statement = 1;
  a.Return(pools, Release::kReset);
  EXPECT_EQ(FakeHost::Sent(server), QueryBytes("DISCARD ALL"));
  FakeSession& b = sessions.emplace_back();
  EXPECT_FALSE(b.Acquire(pools, pool));
  std::string parameter;
  wire::AppendParameterStatus(parameter, "TimeZone", "UTC");
  Feed(server, parameter + CommandAnswer("DISCARD ALL"));
  EXPECT_EQ(b.server, &server);
  EXPECT_TRUE(server.settings->empty());
  EXPECT_EQ(server.prepared.size(), 0u);
  EXPECT_EQ(server.unnamed_statement, 0u);
}

TEST_F(ReturnedServersTest, RollbackKeepsWhatIsPrepared) {
  FakeSession& a = Served();
  Server& server = *a.server;
  server.prepared.Add(1);
  server.transaction_status = wire::kFailedTransaction;
  a.Return(pools, Release::kRollback);
  EXPECT_EQ(FakeHost::Sent(server), QueryBytes("ROLLBACK"));
  Feed(server, CommandAnswer("ROLLBACK"));
  EXPECT_EQ(server.state, Server::State::kIdle);
  EXPECT_EQ(server.transaction_status, wire::kIdle);
  EXPECT_EQ(server.prepared.size(), 1u);
}

TEST_F(ReturnedServersTest, RollbackOutsideOfATransactionCostsNothing) {
  FakeSession& a = Served();
  Server& server = *a.server;
  a.Return(pools, Release::kRollback);
  EXPECT_EQ(FakeHost::Sent(server), "");
  EXPECT_EQ(server.state, Server::State::kIdle);
}

TEST_F(ReturnedServersTest, ResetWithinATransactionRollsBackFirst) {
  FakeSession& a = Served();
  Server& server = *a.server;
  server.transaction_status = wire::kInTransaction;
  a.Return(pools, Release::kReset);
  EXPECT_EQ(FakeHost::Sent(server), QueryBytes("ROLLBACK") + QueryBytes("DISCARD ALL"));
  const std::string answers = CommandAnswer("ROLLBACK") + CommandAnswer("DISCARD ALL");
  for (const char byte : answers) {
    EXPECT_EQ(server.state, Server::State::kCleaning);
    Feed(server, std::string_view(&byte, 1));
  }
  EXPECT_EQ(server.state, Server::State::kIdle);
}

TEST_F(ReturnedServersTest, CleaningThatFailsClosesTheConnection) {
  using std::string_literals::operator""s;
  std::string row, failed;
  wire::AppendTextDataRow(row, {"x"});
  wire::AppendReadyForQuery(failed, wire::kFailedTransaction);
  const std::vector<std::string> answers = {ErrorBytes("XX000", "no", wire::Severity::kError),
                                            row,
                                            failed,
                                            "Z\0\0\0\1I"s,
                                            "Z\0\0\0\4"s,
                                            "\0\0\0\0\0"s,
                                            "Q\0\0\0\5\0"s};
  for (const std::string& answer : answers) {
    FakeSession& a = Served();
    Server& server = *a.server;
    a.Return(pools, Release::kReset);
    FakeHost::Sent(server);
    Feed(server, answer);
    EXPECT_EQ(server.state, Server::State::kClosing) << answer;
  }
}

TEST_F(ReturnedServersTest, CleaningHasItsTimeAndWaitersGetAnotherConnection) {
  FakeSession& a = Served();
  Served();
  FakeSession& c = Waiting();
  pools.SetLimits({.pool_size = 2});
  a.Return(pools, Release::kReset);
  worker.Tick(ServerPools::kCleaningTimeoutUs);
  EXPECT_EQ(host.connecting.size(), 1u);
  worker.LogInAll();
  EXPECT_NE(c.server, nullptr);
}

TEST_F(ReturnedServersTest, CancelsInFlightHoldAServerBack) {
  FakeSession& a = Served();
  Served();
  FakeSession& c = Waiting();
  Server& server = *a.server;
  server.cancels_in_flight = 2;
  a.Return(pools);
  EXPECT_EQ(c.server, nullptr);
  pools.OnCancelDone(server.id);
  EXPECT_EQ(c.server, nullptr);
  pools.OnCancelDone(server.id);
  EXPECT_EQ(c.server, &server);
  pools.OnCancelDone(server.id);
  EXPECT_EQ(server.cancels_in_flight, 0u);
  pools.OnCancelDone(4711);  // gone
}

TEST_F(ReturnedServersTest, CleaningWaitsForCancels) {
  FakeSession& a = Served();
  Server& server = *a.server;
  server.cancels_in_flight = 1;
  server.transaction_status = wire::kInTransaction;
  a.Return(pools, Release::kReset);
  EXPECT_EQ(FakeHost::Sent(server), "");
  pools.OnCancelDone(server.id);
  EXPECT_EQ(FakeHost::Sent(server), QueryBytes("ROLLBACK") + QueryBytes("DISCARD ALL"));
}

TEST_F(ReturnedServersTest, CancelsThatNeverArriveHoldItForALimitedTime) {
  FakeSession& a = Served();
  Server& server = *a.server;
  server.cancels_in_flight = 1;
  a.Return(pools);
  worker.Tick(ServerPools::kCleaningTimeoutUs);
  EXPECT_EQ(server.state, Server::State::kClosing);
}

TEST_F(ReturnedServersTest, AnUnlinkedServerMayGiveNotices) {
  FakeSession& a = Served();
  Server& server = *a.server;
  a.Return(pools);
  std::string bytes = ErrorBytes("01000", "hear", wire::Severity::kWarning);
  wire::AppendParameterStatus(bytes, "TimeZone", "UTC");
  for (const char byte : bytes) Feed(server, std::string_view(&byte, 1));
  EXPECT_EQ(server.state, Server::State::kIdle);
}

TEST_F(ReturnedServersTest, AnUnlinkedServerThatDiesIsDroppedQuietly) {
  for (const char* sqlstate : {"57P01", "57P05"}) {
    FakeSession& a = Served();
    Server& server = *a.server;
    a.Return(pools);
    Feed(server, ErrorBytes(sqlstate, "terminating connection"));
    EXPECT_EQ(server.state, Server::State::kClosing);
  }
  FakeSession& a = Served();
  Server& server = *a.server;
  a.Return(pools);
  pools.OnServerClosed(server, "reset");
  EXPECT_EQ(server.state, Server::State::kClosing);
  EXPECT_EQ(pool.Stats(host.now_us).unsolicited, 0u);
}

TEST_F(ReturnedServersTest, AnUnlinkedServerThatSendsAnythingElseIsDroppedAndCounted) {
  using std::string_literals::operator""s;
  std::string row, ready;
  wire::AppendTextDataRow(row, {"x"});
  wire::AppendReadyForQuery(ready, wire::kIdle);
  const std::vector<std::string> unasked = {
      row,          row.substr(0, 7),    ready, "A\0\0\0\x0a\0\0\0\1x\0"s, "\0\0\0\0\0\0"s,
      "m\0\0\0\4"s, "N\x7f\xff\xff\xff"s};
  for (size_t i = 0; i < unasked.size(); ++i) {
    FakeSession& a = Served();
    Server& server = *a.server;
    a.Return(pools);
    Feed(server, unasked[i]);
    EXPECT_EQ(server.state, Server::State::kClosing) << i;
    EXPECT_EQ(pool.Stats(host.now_us).unsolicited, i + 1);
  }
}

TEST_F(ReturnedServersTest, WhatComesBehindALoginIsOfAnUnlinkedServer) {
  FakeSession& a = Waiting();
  Server& server = *host.connecting[0];
  std::erase(host.connecting, &server);
  pools.OnConnected(server);
  FakeHost::Sent(server);
  Feed(server, TrustLogin());
  FakeHost::Sent(server);
  Feed(server, DefaultsAnswer() + ErrorBytes("57P01", "terminating connection"));
  EXPECT_EQ(a.server, nullptr);
  EXPECT_EQ(host.connecting.size(), 1u);  // another one is opened
  worker.LogInAll();
  EXPECT_NE(a.server, nullptr);
}

}  // namespace
}  // namespace meridian
