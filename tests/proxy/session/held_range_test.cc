// Statements on a range that a move holds: they wait for another map, each for as long as it may.
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

constexpr std::string_view kRead = "SELECT name FROM items WHERE id = 1";
// Longer than a statement waits.
constexpr uint64_t kTooLongUs = 31'000'000;

std::string WithOwner(const std::string& owner) {
  std::string text = kShop;
  return text.replace(text.find("s1, 100"), 2, owner);
}

class HeldRangeTest : public testing::Test {
 protected:
  HeldRangeTest()
      : held_(std::string(kShop) + "moving d 0 s2 held\n"),
        moved_(WithOwner("s2")),
        stage_({}, [](const std::string&) {
          const Exchange read{QueryBytes(kRead), CommandAnswer("SELECT 1")};
          return std::make_unique<ReplayBackend>(std::vector<Exchange>{read, read},
                                                 ReplayBackend::Options{});
        }) {}

  void Publish(const World& world) {
    stage_.ChangeMap(world.map, world.schema);
    stage_.Settle();
  }
  // What the client sees from now on.
  void Send(std::string_view sql) {
    stage_.client('a').seen.clear();
    stage_.ClientSends('a', QueryBytes(sql));
    stage_.Settle();
  }
  const std::string& seen() { return stage_.client('a').seen; }

  const World held_, moved_;
  Stage stage_;
};

TEST_F(HeldRangeTest, WaitsForTheNewOwner) {
  Publish(held_);
  Send(kRead);
  EXPECT_THAT(seen(), IsEmpty());
  Publish(moved_);
  EXPECT_THAT(seen(), HasSubstr("SELECT 1"));
  ASSERT_EQ(stage_.links().size(), 1u);
  EXPECT_EQ(stage_.links()[0]->name, "s2.1");
}

TEST_F(HeldRangeTest, DoesNotWaitForEver) {
  Publish(held_);
  Send(kRead);
  stage_.Tick(kTooLongUs);
  EXPECT_THAT(seen(), IsEmpty());
  Publish(held_);  // as when the worker looks at the map again
  EXPECT_THAT(seen(), HasSubstr("57P03"));
}

// A range that has moved for good is not one that moves: what was waited for it once counted for
// the next that was held.
TEST_F(HeldRangeTest, EachStatementWaitsAnew) {
  Publish(held_);
  Send(kRead);
  Publish(moved_);
  EXPECT_THAT(seen(), HasSubstr("SELECT 1"));
  stage_.Tick(kTooLongUs);
  Publish(held_);
  Send(kRead);
  EXPECT_THAT(seen(), IsEmpty());
  Publish(moved_);
  EXPECT_THAT(seen(), HasSubstr("SELECT 1"));
}

}  // namespace
}  // namespace meridian
