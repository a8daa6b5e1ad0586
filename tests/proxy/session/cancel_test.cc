// What runs is cancelled, but not what was sent ahead of it: PostgreSQL would run a statement
// behind a BEGIN that was cancelled on its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/pool/fake_host.h"
#include "tests/proxy/session/message_text.h"
#include "tests/proxy/session/replay_backend.h"
#include "tests/proxy/session/stage.h"

namespace meridian {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kRead = "SELECT name FROM items";
constexpr std::string_view kInsert = "INSERT INTO items VALUES (7, 'seven')";
constexpr std::string_view kUpdate = "UPDATE items SET name = 'x'";

std::string Failed(std::string_view sqlstate) {
  std::string bytes = ErrorBytes(sqlstate, "no", wire::Severity::kError);
  wire::AppendReadyForQuery(bytes, wire::kFailedTransaction);
  return bytes;
}

class CancelTest : public testing::Test {
 protected:
  // The shards' servers are there, and have nothing to do; both answer the same from now on.
  CancelTest()
      : stage_({}, [](const std::string&) {
          return std::make_unique<ReplayBackend>(
              std::vector<Exchange>{{QueryBytes(kRead), CommandAnswer("SELECT 0")},
                                    {QueryBytes("BEGIN"), Begun()},
                                    {QueryBytes(kUpdate), Failed("22012")},
                                    {QueryBytes("ROLLBACK"), CommandAnswer("ROLLBACK")}},
              ReplayBackend::Options{});
        }) {
    Send(kRead);
    stage_.Settle();
  }

  static std::string Begun() { return CommandAnswer("BEGIN", wire::kInTransaction); }
  void Send(std::string_view sql) { stage_.ClientSends('a', QueryBytes(sql)); }
  Stage::Link& LinkTo(std::string_view name) {
    for (const auto& link : stage_.links()) {
      if (link->name == name) return *link;
    }
    throw std::runtime_error("no such connection");
  }

  Stage stage_;
};

TEST_F(CancelTest, WaitsUntilTheTransactionIsOpen) {
  Stage::Link& server = LinkTo("s1.1");
  Send("BEGIN");
  Send(kInsert);
  stage_.ClientCancels('a');
  EXPECT_EQ(server.cancels, 0);
  stage_.ServerSpeaks(server, Begun().size());
  EXPECT_EQ(server.cancels, 1);
}

TEST_F(CancelTest, IsForTheStatementAtHandAlone) {
  Stage::Link& server = LinkTo("s1.1");
  Send("BEGIN");
  Send(kInsert);
  stage_.ServerSpeaks(server, Begun().size());
  EXPECT_EQ(server.cancels, 0);
  stage_.ClientCancels('a');
  EXPECT_EQ(server.cancels, 1);
}

// The first that fails ends what the others do.
TEST_F(CancelTest, WaitsUntilEachShardHasOpenedTheTransaction) {
  Stage::Link& first = LinkTo("s1.1");
  Stage::Link& second = LinkTo("s2.1");
  Send(kUpdate);
  stage_.ServerSpeaks(first, first.answer.size());
  EXPECT_EQ(second.cancels, 0);
  stage_.ServerSpeaks(second, Begun().size());
  EXPECT_EQ(second.cancels, 1);
  EXPECT_EQ(first.cancels, 0);
}

TEST_F(CancelTest, TheClientCancelsWhatSeveralShardsDo) {
  Stage::Link& first = LinkTo("s1.1");
  Stage::Link& second = LinkTo("s2.1");
  Send(kUpdate);
  stage_.ServerSpeaks(second, Begun().size());
  stage_.ClientCancels('a');
  EXPECT_EQ(first.cancels, 0);
  EXPECT_EQ(second.cancels, 1);
  stage_.ServerSpeaks(first, Begun().size());
  EXPECT_EQ(first.cancels, 1);
}

// Else it would hit the client's next statement.
TEST_F(CancelTest, AnErrorWaitsForTheCancelsThatItHasCaused) {
  stage_.client('a').seen.clear();
  Send(kUpdate);
  Stage::Link& first = LinkTo("s1.1");
  Stage::Link& second = LinkTo("s2.1");
  stage_.ServerSpeaks(second, Begun().size());
  stage_.ServerSpeaks(first, first.answer.size());
  stage_.ServerSpeaks(second, second.answer.size());  // before the request arrives
  EXPECT_EQ(second.cancels, 1);
  EXPECT_THAT(stage_.client('a').seen, IsEmpty());
  stage_.Settle();
  EXPECT_THAT(stage_.client('a').seen, HasSubstr("22012"));
  EXPECT_THAT(stage_.problems, IsEmpty());
}

// A victim of a deadlock over several shards: the shard that has prepared its part is told to roll
// it back by what the request cannot hit.
TEST(CancelCommitTest, WaitsForTheCancelBeforeItRollsBack) {
  const std::string name = "'meridian_test_0_1_s1'";
  const Exchange begin{QueryBytes("BEGIN"), CommandAnswer("BEGIN", wire::kInTransaction)};
  const Exchange insert{QueryBytes(kInsert), CommandAnswer("INSERT 0 1", wire::kInTransaction)};
  const Exchange other{QueryBytes("INSERT INTO items VALUES (107, 'x')"),
                       CommandAnswer("INSERT 0 1", wire::kInTransaction)};
  const Exchange decide{QueryBytes("SELECT meridian.decide(" + name + ")"), Failed("57014")};
  const Exchange prepare{
      QueryBytes("LOCK TABLE meridian.snapshot_gate IN ROW EXCLUSIVE MODE;PREPARE TRANSACTION " +
                 name),
      CommandAnswer("PREPARE TRANSACTION")};
  const Exchange undo{QueryBytes("ROLLBACK PREPARED " + name), CommandAnswer("ROLLBACK PREPARED")};
  const Exchange roll_back{QueryBytes("ROLLBACK"), CommandAnswer("ROLLBACK")};
  const std::map<std::string, std::vector<Exchange>> scripts = {
      {"s1.1", {begin, insert, decide, roll_back}}, {"s2.1", {begin, other, prepare, undo}}};
  Stage stage({}, [&](const std::string& link) {
    return std::make_unique<ReplayBackend>(scripts.at(link), ReplayBackend::Options{});
  });
  for (const std::string& sql : {std::string("BEGIN"), std::string(kInsert),
                                 std::string("INSERT INTO items VALUES (107, 'x')")}) {
    stage.ClientSends('a', QueryBytes(sql));
    stage.Settle();
  }
  stage.ClientSends('a', QueryBytes("COMMIT"));
  Stage::Link& lead = *stage.links()[0];
  Stage::Link& second = *stage.links()[1];
  Session& session = *stage.client('a').session;
  EXPECT_TRUE(session.CancelDeadlocked(session.transaction_began_us(), "a circle"));
  stage.ServerSpeaks(second, second.answer.size());  // before the request arrives
  stage.ServerSpeaks(lead, lead.answer.size());
  EXPECT_EQ(second.cancels, 1);
  EXPECT_EQ(second.owed, 0u);
  stage.Settle();
  EXPECT_THAT(stage.client('a').seen, HasSubstr("40P01"));
  EXPECT_THAT(stage.problems, IsEmpty());
}

// The server rolls back when it finds that the connection is closed.
TEST_F(CancelTest, AClientThatVanishesCancelsNoBegin) {
  Stage::Link& server = LinkTo("s1.1");
  Send("BEGIN");
  Send(kInsert);
  stage_.ClientVanishes('a');
  EXPECT_EQ(server.cancels, 0);
  EXPECT_EQ(server.server, nullptr);
}

}  // namespace
}  // namespace meridian
