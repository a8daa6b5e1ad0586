#include "metrics/fault_points.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <string>
#include <thread>

namespace meridian {
namespace {

class FaultPoints : public ::testing::Test {
 protected:
  ~FaultPoints() override { SetFaultPoints(""); }
};

TEST_F(FaultPoints, AreNamedWithWhatIsToHappen) {
  for (const char* text : {"", "  ", "commit.begin=kill", " commit.begin = pause ",
                           "commit.begin=kill,commit.decided=pause",
                           "commit.begin=kill , commit.decided=pause", "commit.begin=kill,"}) {
    EXPECT_TRUE(CheckFaultPoints(text).ok()) << text;
  }
  for (const std::string_view point : kFaultPoints) {
    EXPECT_TRUE(CheckFaultPoints(std::string(point) + "=pause").ok()) << point;
  }
}

TEST_F(FaultPoints, OtherTextIsRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"commit", "there is no fault point \"commit\""},
      {"=kill", "there is no fault point \"\""},
      {",", "there is no fault point \"\""},
      {"commit.begin=kill,,commit.decided=kill", "there is no fault point \"\""},
      {"Commit.begin=kill", "there is no fault point \"Commit.begin\""},
      {"commit.begin;commit.decided=kill",
       "there is no fault point \"commit.begin;commit.decided\""},
      {"commit.begin",
       "fault point \"commit.begin\": \"\" is neither kill nor pause, nor fail of a move"},
      {"commit.begin=",
       "fault point \"commit.begin\": \"\" is neither kill nor pause, nor fail of a move"},
      {"commit.begin=KILL",
       "fault point \"commit.begin\": \"KILL\" is neither kill nor pause, nor fail of a move"},
      {"commit.begin=kill=pause",
       "fault point \"commit.begin\": \"kill=pause\" is neither kill nor pause, nor fail of a "
       "move"},
      {"commit.begin=kill, commit.decided=stop",
       "fault point \"commit.decided\": \"stop\" is neither kill nor pause, nor fail of a move"},
  };
  for (const auto& [text, error] : cases) {
    const absl::Status status = CheckFaultPoints(text);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(status.message(), error);
  }
}

TEST_F(FaultPoints, DoNothingWhereTheyAreNotNamed) {
  for (const std::string_view point : kFaultPoints) FaultPoint(point);
  SetFaultPoints("commit.begin=kill");
  FaultPoint("commit.decided");
}

TEST_F(FaultPoints, StopAThreadUntilTheyAreNoLongerNamed) {
  SetFaultPoints("commit.begin=pause");
  std::atomic<bool> passed = false;
  std::thread thread([&] {
    FaultPoint("commit.begin");
    passed = true;
  });
  SetFaultPoints("commit.begin=pause,commit.decided=pause");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(passed);
  SetFaultPoints("commit.decided=pause");
  thread.join();
  EXPECT_TRUE(passed);
}

TEST(FaultPointsDeathTest, KillTheProcess) {
  EXPECT_EXIT(
      {
        SetFaultPoints("commit.begin=kill");
        FaultPoint("commit.begin");
      },
      testing::KilledBySignal(SIGKILL), "");
}

}  // namespace
}  // namespace meridian
