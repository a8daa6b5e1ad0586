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

class CancelTest : public testing::Test {
 protected:
  // The shards' servers are there, and have nothing to do; both answer the same from now on.
  CancelTest()
      : stage_({}, [](const std::string&) {
          const std::string failed = ErrorBytes("22012", "no", wire::Severity::kError) + Ready();
          return std::make_unique<ReplayBackend>(
              std::vector<Exchange>{{QueryBytes(kRead), CommandAnswer("SELECT 0")},
                                    {QueryBytes("BEGIN"), Begun()},
                                    {QueryBytes(kUpdate), failed},
                                    {QueryBytes("ROLLBACK"), CommandAnswer("ROLLBACK")}},
              ReplayBackend::Options{});
        }) {
    Send(kRead);
    stage_.Settle();
  }

  static std::string Begun() { return CommandAnswer("BEGIN", wire::kInTransaction); }
  static std::string Ready() {
    std::string bytes;
    wire::AppendReadyForQuery(bytes, wire::kFailedTransaction);
    return bytes;
  }
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
