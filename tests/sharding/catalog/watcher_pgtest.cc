// The watcher against a real catalog that changes, goes away and comes back.
#include "sharding/catalog/watcher.h"

#include <gtest/gtest.h>

#include <thread>

#include "sharding/sql_status.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = CatalogEvent::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

class CatalogWatcherTest : public testing::Test {
 protected:
  CatalogWatcherTest() {
    options_.catalog.target.address = {"127.0.0.1", cluster_.port()};
    options_.catalog.target.dbname = "postgres";
    options_.catalog.target.user = "postgres";
    options_.poll_interval = seconds(60);
  }

  void Change(CatalogStore& store, const std::string& name) {
    auto map = store.Change({"me", "x"}, [&](MapDraft& draft) {
      draft.shards.push_back({name, {{name, 1}}, ""});
      return absl::OkStatus();
    });
    ASSERT_TRUE(map.ok()) << map.status();
  }

  PgCluster cluster_;
  WatcherOptions options_;
  std::stop_source stop_;
};

TEST_F(CatalogWatcherTest, TellsOfChangesAndLosses) {
  CatalogStore store(options_.catalog);
  ASSERT_TRUE(store.Migrate().ok());
  CatalogWatcher watcher(options_);
  CatalogEvent event = watcher.WaitForChange(seconds(5), stop_.get_token());
  EXPECT_EQ(event.kind, Kind::kChanged);
  EXPECT_EQ(event.epoch, Epoch{1});
  EXPECT_EQ(watcher.WaitForChange(milliseconds(20), stop_.get_token()).kind, Kind::kNothing);

  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(100));
    Change(store, "a");
  });
  const auto start = Clock::now();
  event = watcher.WaitForChange(seconds(30), stop_.get_token());
  later.join();
  EXPECT_EQ(event.kind, Kind::kChanged);
  EXPECT_EQ(event.epoch, Epoch{2});
  EXPECT_LT(Clock::now() - start, seconds(10));  // by the notification, not by the poll

  cluster_.Stop();
  event = watcher.WaitForChange(seconds(10), stop_.get_token());
  EXPECT_EQ(event.kind, Kind::kLost);
  EXPECT_FALSE(event.error.ok());
  EXPECT_FALSE(watcher.connected());
  EXPECT_EQ(watcher.WaitForChange(milliseconds(500), stop_.get_token()).kind, Kind::kNothing);
  cluster_.Start();
  event = watcher.WaitForChange(seconds(20), stop_.get_token());
  EXPECT_EQ(event.kind, Kind::kRestored);
  EXPECT_EQ(event.epoch, Epoch{2});
}

TEST_F(CatalogWatcherTest, PollsWhereNoNotificationComes) {
  CatalogStore store(options_.catalog);
  ASSERT_TRUE(store.Migrate().ok());
  options_.poll_interval = milliseconds(50);
  CatalogWatcher watcher(options_);
  watcher.WaitForChange(seconds(5), stop_.get_token());
  cluster_.Connect().Query("UPDATE meridian.epoch SET epoch = 9");
  const CatalogEvent event = watcher.WaitForChange(seconds(10), stop_.get_token());
  EXPECT_EQ(event.kind, Kind::kChanged);
  EXPECT_EQ(event.epoch, Epoch{9});
}

TEST_F(CatalogWatcherTest, StopsAtOnce) {
  CatalogStore store(options_.catalog);
  ASSERT_TRUE(store.Migrate().ok());
  CatalogWatcher watcher(options_);
  watcher.WaitForChange(seconds(5), stop_.get_token());
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(100));
    stop_.request_stop();
  });
  const auto start = Clock::now();
  EXPECT_EQ(watcher.WaitForChange(seconds(60), stop_.get_token()).kind, Kind::kNothing);
  later.join();
  EXPECT_LT(Clock::now() - start, seconds(10));
}

TEST_F(CatalogWatcherTest, AnUnmigratedCatalogIsALoss) {
  CatalogWatcher watcher(options_);
  const CatalogEvent event = watcher.WaitForChange(seconds(5), stop_.get_token());
  EXPECT_EQ(event.kind, Kind::kLost);
  EXPECT_EQ(ToSqlError(event.error).sqlstate, "42P01");
}

}  // namespace
}  // namespace meridian
