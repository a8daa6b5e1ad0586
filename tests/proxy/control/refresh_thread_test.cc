#include "proxy/control/refresh_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

using namespace std::chrono_literals;

// The result of a request.
std::future<absl::Status> Ask(RefreshThread& thread) {
  auto promise = std::make_shared<std::promise<absl::Status>>();
  thread.Request([promise](absl::Status status) { promise->set_value(std::move(status)); });
  return promise->get_future();
}

TEST(RefreshThread, PollsByItself) {
  std::atomic<int> runs{0};
  RefreshThread thread([&] { return ++runs, absl::OkStatus(); }, {.poll = 1ms});
  thread.Start();
  while (runs < 3) std::this_thread::sleep_for(1ms);
}

TEST(RefreshThread, ARequestGetsARunThatBeganAfterIt) {
  std::atomic<int> begun{0};
  std::atomic<bool> block{true};
  RefreshThread thread(
      [&] {
        ++begun;
        while (block) std::this_thread::sleep_for(1ms);
        return absl::OkStatus();
      },
      {.poll = 1h});
  thread.Start();
  while (begun < 1) std::this_thread::sleep_for(1ms);
  // The first run is under way and may not answer these.
  std::future<absl::Status> a = Ask(thread);
  std::future<absl::Status> b = Ask(thread);
  EXPECT_EQ(a.wait_for(20ms), std::future_status::timeout);
  block = false;
  EXPECT_TRUE(a.get().ok());
  EXPECT_TRUE(b.get().ok());
  EXPECT_EQ(begun, 2);
}

TEST(RefreshThread, GivesTheResultOfTheWork) {
  RefreshThread thread([] { return SqlStatus("08006", "gone"); }, {.poll = 1h});
  thread.Start();
  EXPECT_EQ(ToSqlError(Ask(thread).get()).sqlstate, "08006");
}

TEST(RefreshThread, RequestsAreLimitedInRate) {
  std::atomic<int> runs{0};
  RefreshThread thread([&] { return ++runs, absl::OkStatus(); }, {.poll = 1h, .min = 50ms});
  thread.Start();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Ask(thread).get().ok());
  EXPECT_GE(std::chrono::steady_clock::now() - start, 150ms);
  EXPECT_LE(runs, 5);
}

TEST(RefreshThread, NewIntervalsHoldAtOnce) {
  std::atomic<int> runs{0};
  RefreshThread thread([&] { return ++runs, absl::OkStatus(); }, {.poll = 1h});
  thread.Start();
  while (runs < 1) std::this_thread::sleep_for(1ms);
  thread.SetIntervals({.poll = 1ms});
  while (runs < 3) std::this_thread::sleep_for(1ms);
}

TEST(RefreshThread, StopAnswersThoseWhoWait) {
  RefreshThread thread([] { return absl::OkStatus(); }, {.poll = 1h, .min = 1h});
  std::future<absl::Status> first = Ask(thread);
  thread.Start();
  EXPECT_TRUE(first.get().ok());
  std::future<absl::Status> waiting = Ask(thread);
  thread.Stop();
  EXPECT_EQ(ToSqlError(waiting.get()).sqlstate, "57P01");
  EXPECT_EQ(ToSqlError(Ask(thread).get()).sqlstate, "57P01");
  thread.Stop();
}

TEST(RefreshThread, StopsWithoutAStart) {
  RefreshThread thread([] { return absl::OkStatus(); }, {.poll = 1h});
  std::future<absl::Status> waiting = Ask(thread);
  thread.Stop();
  EXPECT_EQ(ToSqlError(waiting.get()).sqlstate, "57P01");
}

}  // namespace
}  // namespace meridian
