// Two servers with a database each, made anew for each test, and a key range that goes from one to
// the other.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "rebalance/stream/change_applier.h"
#include "rebalance/stream/change_stream.h"
#include "rebalance/stream/follower.h"
#include "rebalance/stream/moved_table.h"
#include "rebalance/stream/publication.h"
#include "rebalance/stream/range_copy.h"
#include "sharding/catalog/shard_support.h"
#include "sharding/sql_status.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace slice_test {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr char kName[] = "meridian_move_1";

inline PgTarget TargetOf(const PgCluster& cluster, const std::string& dbname) {
  PgTarget target;
  target.address = {"127.0.0.1", cluster.port()};
  target.dbname = dbname;
  target.user = "postgres";
  return target;
}

inline std::string State(const absl::Status& status) {
  return status.ok() ? "" : ToSqlError(status).sqlstate;
}

class SliceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    source_cluster_ = std::make_unique<PgCluster>();
    target_cluster_ = std::make_unique<PgCluster>();
  }
  static void TearDownTestSuite() {
    source_cluster_.reset();
    target_cluster_.reset();
  }

  void SetUp() override {
    for (PgCluster* const cluster : {source_cluster_.get(), target_cluster_.get()}) {
      cluster->Connect().Query("CREATE DATABASE shop");
    }
    source_ = TargetOf(*source_cluster_, "shop");
    target_ = TargetOf(*target_cluster_, "shop");
    for (const PgTarget& target : {source_, target_}) {
      auto connection = *PgConnection::Connect(target);
      ASSERT_TRUE(EnsureShardSupport(connection).ok());
    }
  }
  void TearDown() override {
    stream_.reset();
    applier_.reset();
    {
      auto at_source = *PgConnection::Connect(source_);
      for (int tries = 0; tries < 100; ++tries) {  // its walsender may still be ending
        if (ChangeStream::DropSlot(at_source, kName).ok()) break;
        std::this_thread::sleep_for(milliseconds(50));
      }
      auto at_target = *PgConnection::Connect(target_);
      for (int tries = 0; tries < 100; ++tries) {
        if (ChangeApplier::DropOrigin(at_target, kName).ok()) break;
        std::this_thread::sleep_for(milliseconds(50));
      }
    }
    for (PgCluster* const cluster : {source_cluster_.get(), target_cluster_.get()}) {
      cluster->Connect().Query("DROP DATABASE shop WITH (FORCE)");
    }
  }

  Connection AtSource() { return source_cluster_->Connect("shop"); }
  Connection AtTarget() { return target_cluster_->Connect("shop"); }
  void OnBoth(const std::string& sql) {
    AtSource().Query(sql);
    AtTarget().Query(sql);
  }

  // A distribution by bigint, cut at 1000 and 2000; the middle range moves.
  void Distribute(std::vector<std::pair<std::string, std::string>> tables, bool hashed = false,
                  bool full_identity = false) {
    std::vector<KeyRange> ranges;
    ranges.push_back({"low", {}, ShardIndex{0}});
    const int64_t cut = hashed ? int64_t{-1} << 62 : 1000;
    ranges.push_back({"middle", {{KeyValue(cut)}}, ShardIndex{0}});
    ranges.push_back({"high", {{KeyValue(hashed ? int64_t{1} << 62 : 2000)}}, ShardIndex{0}});
    distribution_ = *Distribution::Build("d", {{KeyType::kBigint, hashed}}, std::move(ranges));
    auto connection = *PgConnection::Connect(source_);
    for (const auto& [table, key] : tables) {
      MappedTable mapped{.name = {"public", table},
                         .kind = MappedTable::Kind::kSharded,
                         .distribution = 0,
                         .key_columns = {key}};
      auto moved = ReadMovedTable(connection, mapped, *distribution_, 1, full_identity);
      ASSERT_TRUE(moved.ok()) << moved.status();
      tables_.push_back(*std::move(moved));
    }
  }

  // Publication, slot, copy.
  void Copy() {
    auto connection = *PgConnection::Connect(source_);
    const auto published = MakePublication(connection, kName, tables_);
    ASSERT_TRUE(published.ok()) << published;
    stream_.emplace(*ChangeStream::Connect(source_));
    const auto slot = stream_->CreateSlot(kName);
    ASSERT_TRUE(slot.ok()) << slot.status();
    start_ = slot->start;
    auto from = OpenSnapshot(source_, slot->snapshot);
    ASSERT_TRUE(from.ok()) << from.status();
    auto to = *OpenForRows(target_);
    for (const MovedTable& table : tables_) {
      const auto copied =
          CopyRange(*from, to, table, [](const CopiedRows&) { return absl::OkStatus(); });
      ASSERT_TRUE(copied.ok()) << copied;
    }
  }

  // As a mover begins to follow, at first or after a crash.
  void BeginToFollow() {
    follower_.reset();
    applier_.reset();
    for (int tries = 0; !applier_.has_value() && tries < 100; ++tries) {
      auto applier = ChangeApplier::Connect(target_, kName, tables_);
      if (applier.ok())
        applier_.emplace(*std::move(applier));
      else
        std::this_thread::sleep_for(milliseconds(50));  // the last one's session is ending
    }
    ASSERT_TRUE(applier_.has_value());
    for (int tries = 0; tries < 100; ++tries) {
      stream_.emplace(*ChangeStream::Connect(source_));
      if (stream_->Start(kName, kName, std::max(start_, applier_->applied())).ok()) break;
      std::this_thread::sleep_for(milliseconds(50));
    }
    follower_.emplace(*stream_, *applier_);
  }

  absl::StatusOr<bool> FollowToBarrier(const std::string& barrier = "here") {
    AtSource().Query("SELECT pg_logical_emit_message(true, 'meridian', '" + barrier + "')");
    return follower_->Until(barrier, steady_clock::now() + seconds(30));
  }

  // The rows of the range on both sides, as text in some order.
  void ExpectSameRows() {
    for (const MovedTable& table : tables_) {
      const std::string sql = "SELECT t::text FROM " + table.name.ToString() + " t WHERE " +
                              table.condition + " ORDER BY 1";
      const auto rows = AtSource().Query(sql).rows;
      EXPECT_EQ(AtTarget().Query(sql).rows, rows) << table.name.ToString();
      EXPECT_FALSE(rows.empty()) << table.name.ToString();
      EXPECT_EQ(AtTarget().Value("SELECT count(*) FROM " + table.name.ToString() + " WHERE (" +
                                 table.condition + ") IS NOT TRUE"),
                "0");
    }
  }

  static inline std::unique_ptr<PgCluster> source_cluster_, target_cluster_;
  PgTarget source_, target_;
  std::optional<Distribution> distribution_;
  std::vector<MovedTable> tables_;
  std::optional<ChangeStream> stream_;
  std::optional<ChangeApplier> applier_;
  std::optional<Follower> follower_;
  Lsn start_ = 0;
};

}  // namespace slice_test
}  // namespace meridian
