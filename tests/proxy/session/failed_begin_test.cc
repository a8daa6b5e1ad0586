// A statement_timeout that hits the BEGIN ahead of a statement: PostgreSQL runs that on its own
// then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/pool/fake_host.h"
#include "tests/proxy/session/message_text.h"
#include "tests/proxy/session/replay_backend.h"
#include "tests/proxy/session/shop_world.h"
#include "tests/proxy/session/stage.h"

namespace meridian {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Script = std::vector<Exchange>;

constexpr std::string_view kUpdate = "UPDATE items SET name = 'x'";

std::string TimedOut() {
  std::string bytes = ErrorBytes("57014", "timeout", wire::Severity::kError);
  wire::AppendReadyForQuery(bytes, wire::kIdle);
  return bytes;
}
Exchange Begin(std::string answer = CommandAnswer("BEGIN", wire::kInTransaction)) {
  return {QueryBytes("BEGIN"), std::move(answer)};
}
Exchange RollBack() { return {QueryBytes("ROLLBACK"), CommandAnswer("ROLLBACK")}; }

// What the client sees. `scripts`: of the first connection to each shard.
std::string Seen(const std::map<std::string, Script>& scripts,
                 const std::vector<std::string>& statements) {
  Stage stage({}, [&](const std::string& name) {
    return std::make_unique<ReplayBackend>(scripts.at(name), ReplayBackend::Options{});
  });
  for (const std::string& sql : statements) {
    stage.ClientSends('a', QueryBytes(sql));
    stage.Settle();
  }
  EXPECT_THAT(stage.problems, IsEmpty());
  return stage.client('a').seen;
}

TEST(FailedBeginTest, WhatOneShardHasDoneAloneIsTold) {
  const Exchange update{QueryBytes(kUpdate), CommandAnswer("UPDATE 1", wire::kInTransaction)};
  const Exchange alone{QueryBytes(kUpdate), CommandAnswer("UPDATE 1")};
  EXPECT_THAT(Seen({{"s1.1", {Begin(), update, RollBack()}}, {"s2.1", {Begin(TimedOut()), alone}}},
                   {std::string(kUpdate)}),
              AllOf(HasSubstr("08007"), HasSubstr("shard \"s2\" alone"), HasSubstr("timeout")));
}

// Found by the fuzzer: the map by which a statement began may not be the one by which it ends.
TEST(FailedBeginTest, TheShardIsNamedByTheMapOfItsBeginning) {
  std::string text = kShop;
  text.replace(text.find("s1, 100 "), 8, "").replace(text.find("s1 "), 3, "");
  const World without_s1(text);
  const Exchange update{QueryBytes(kUpdate), CommandAnswer("UPDATE 1", wire::kInTransaction)};
  const Exchange alone{QueryBytes(kUpdate), CommandAnswer("UPDATE 1")};
  const std::map<std::string, Script> scripts = {{"s1.1", {Begin(), update, RollBack()}},
                                                 {"s2.1", {Begin(TimedOut()), alone}}};
  Stage stage({}, [&](const std::string& name) {
    return std::make_unique<ReplayBackend>(scripts.at(name), ReplayBackend::Options{});
  });
  stage.ClientSends('a', QueryBytes(kUpdate));
  bool changed = false;
  stage.Settle([&](Stage::Link& link, size_t available) {
    if (!std::exchange(changed, true)) stage.ChangeMap(without_s1.map, without_s1.schema);
    stage.ServerSpeaks(link, available);
  });
  EXPECT_THAT(stage.client('a').seen, HasSubstr("shard \"s2\" alone"));
  EXPECT_THAT(stage.problems, IsEmpty());
}

TEST(FailedBeginTest, WhatHasFailedAsWellIsNot) {
  const Exchange update{QueryBytes(kUpdate), CommandAnswer("UPDATE 1", wire::kInTransaction)};
  const Exchange failed{QueryBytes(kUpdate), TimedOut()};
  EXPECT_THAT(Seen({{"s1.1", {Begin(), update, RollBack()}}, {"s2.1", {Begin(TimedOut()), failed}}},
                   {std::string(kUpdate)}),
              AllOf(HasSubstr("57014"), Not(HasSubstr("08007"))));
}

TEST(FailedBeginTest, TheSessionEndsWhereOnlyOneShardWasAsked) {
  const std::string insert = "INSERT INTO items VALUES (7, 'seven')";
  EXPECT_THAT(
      Seen({{"s1.1", {Begin(TimedOut()), {QueryBytes(insert), CommandAnswer("INSERT 0 1")}}}},
           {"BEGIN", insert}),
      AllOf(HasSubstr("FATAL"), HasSubstr("08007"), HasSubstr("on its own")));
  const std::string read = "SELECT name FROM items WHERE id = 1";
  EXPECT_THAT(Seen({{"s1.1", {Begin(TimedOut()), {QueryBytes(read), CommandAnswer("SELECT 1")}}}},
                   {"BEGIN", read}),
              AllOf(HasSubstr("FATAL"), HasSubstr("57014")));
}

}  // namespace
}  // namespace meridian
