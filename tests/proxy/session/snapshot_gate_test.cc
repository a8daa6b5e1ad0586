// Snapshots that belong together, where locks are not to be had at once. Servers say what
// PostgreSQL says; when, is the point.
#include "proxy/session/snapshot_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/pool/fake_host.h"
#include "tests/proxy/session/message_text.h"
#include "tests/proxy/session/replay_backend.h"
#include "tests/proxy/session/shop_world.h"
#include "tests/proxy/session/stage.h"

namespace meridian {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view kRead = "SELECT name FROM items WHERE id = 1";

std::string Ready(char status) {
  std::string bytes;
  wire::AppendReadyForQuery(bytes, status);
  return bytes;
}

std::string Failed(std::string_view sqlstate) {
  return ErrorBytes(sqlstate, "failed", wire::Severity::kError) + Ready(wire::kFailedTransaction);
}

Exchange Lock(std::string answer = CommandAnswer("SET", wire::kInTransaction),
              const std::string& mode = {}) {
  return {QueryBytes("BEGIN ISOLATION LEVEL REPEATABLE READ" + mode +
                     ";SAVEPOINT meridian_snapshot;SET LOCAL lock_timeout = '30ms';"
                     "LOCK TABLE meridian.snapshot_gate IN SHARE MODE;SET LOCAL lock_timeout = 0"),
          std::move(answer)};
}
Exchange LockToRead() { return Lock(CommandAnswer("SET", wire::kInTransaction), " READ ONLY"); }
Exchange Snapshot() {
  return {QueryBytes("SELECT 1;ROLLBACK TO SAVEPOINT meridian_snapshot;"
                     "RELEASE SAVEPOINT meridian_snapshot"),
          CommandAnswer("RELEASE", wire::kInTransaction)};
}
Exchange Rollback(std::string answer = CommandAnswer("ROLLBACK")) {
  return {QueryBytes("ROLLBACK"), std::move(answer)};
}
Exchange Read() { return {QueryBytes(kRead), CommandAnswer("SELECT 0", wire::kInTransaction)}; }

using Script = std::vector<Exchange>;

// One client; `scripts`: of the first connection to each shard.
class Play {
 public:
  explicit Play(const std::map<std::string, Script>& scripts)
      : stage_({}, [this, &scripts](const std::string& name) {
          auto backend =
              std::make_unique<ReplayBackend>(scripts.at(name), ReplayBackend::Options{});
          backends_[name] = backend.get();
          return backend;
        }) {}

  void Send(std::string_view sql) { stage_.ClientSends('a', QueryBytes(sql)); }
  void ExpectAllSaid() {
    for (const auto& [name, backend] : backends_) {
      EXPECT_THAT(backend->surprise(), IsEmpty()) << name;
      EXPECT_THAT(backend->Missing(), IsEmpty()) << name;
    }
    EXPECT_THAT(stage_.problems, IsEmpty());
  }
  Stage& stage() { return stage_; }
  const std::string& seen() { return stage_.client('a').seen; }

 private:
  std::map<std::string, ReplayBackend*> backends_;
  Stage stage_;
};

// What the client of a REPEATABLE READ transaction that reads once sees.
std::string Seen(const std::map<std::string, Script>& scripts) {
  Play play(scripts);
  play.Send("BEGIN ISOLATION LEVEL REPEATABLE READ");
  play.Send(kRead);
  play.stage().Settle();
  play.ExpectAllSaid();
  return play.seen();
}

TEST(SnapshotGateTest, BeginsAgainWhereALockIsNotToBeHad) {
  const std::string seen =
      Seen({{"s1.1", {Lock(), Rollback(), Lock(), Snapshot(), Read()}},
            {"s2.1", {Lock(Failed("55P03")), Rollback(), Lock(), Snapshot()}}});
  EXPECT_THAT(seen, HasSubstr("SELECT 0"));
  EXPECT_THAT(seen, Not(HasSubstr("failed")));
}

// Under load the timeout of one server came when it had told of the lock already, because of the
// other's: BEGIN behind it was 25P02.
TEST(SnapshotGateTest, ALockTimeoutMayHitRollback) {
  const std::string seen =
      Seen({{"s1.1",
             {Lock(), Rollback(Failed("55P03")), Rollback(Failed("55P03")), Rollback(), Lock(),
              Snapshot(), Read()}},
            {"s2.1", {Lock(Failed("55P03")), Rollback(), Lock(), Snapshot()}}});
  EXPECT_THAT(seen, HasSubstr("SELECT 0"));
  EXPECT_THAT(seen, Not(HasSubstr("failed")));
}

// Whoever cancels it does not wait for more locks.
TEST(SnapshotGateTest, ACancelMayHitRollback) {
  const std::string seen = Seen({{"s1.1", {Lock(), Rollback(Failed("57014")), Rollback()}},
                                 {"s2.1", {Lock(Failed("55P03")), Rollback()}}});
  EXPECT_THAT(seen, HasSubstr("57014"));
  EXPECT_THAT(seen, Not(HasSubstr("SELECT 0")));
}

TEST(SnapshotGateTest, AServerThatDoesNotEndATransactionIsNotAskedForEver) {
  Script first{Lock()};
  for (int i = 0; i < SnapshotGate::kRollbacks; ++i) first.push_back(Rollback(Failed("55P03")));
  // The client's transaction has failed; that ends it.
  const std::string seen = Seen({{"s1.1", first}, {"s2.1", {Lock(Failed("55P03")), Rollback()}}});
  EXPECT_THAT(seen, HasSubstr("could not take snapshots"));
}

// The table that it reads is not in the map any more: one shard has it.
TEST(SnapshotGateTest, ItsStatementMayBeRefusedMeanwhile) {
  std::string text = kShop;
  text.replace(text.find("sharded items d id\n"), 19, "");
  const World after(text);
  const std::map<std::string, Script> scripts = {{"s1.1", {LockToRead(), Snapshot(), Rollback()}},
                                                 {"s2.1", {LockToRead(), Snapshot(), Rollback()}}};
  Play play(scripts);
  play.Send("SET meridian.snapshot = 'consistent'");
  play.Send("SELECT name FROM items");
  play.stage().Settle([&](Stage::Link& link, size_t available) {
    static bool changed = false;
    play.stage().ServerSpeaks(link, available);
    if (!std::exchange(changed, true)) play.stage().ChangeMap(after.map, after.schema);
  });
  EXPECT_THAT(play.seen(), HasSubstr("40001"));
  for (const auto& link : play.stage().links()) {
    ASSERT_NE(link->server, nullptr) << link->name;
    EXPECT_EQ(link->server->state, Server::State::kIdle) << link->name;
  }
  play.ExpectAllSaid();
}

}  // namespace
}  // namespace meridian
