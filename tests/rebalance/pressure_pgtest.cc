// What slows a move down, as the catalog has it.
#include "rebalance/pressure.h"

#include <fmt/format.h>

#include "sharding/catalog/histogram_array.h"
#include "sharding/catalog/store.h"
#include "tests/rebalance/stream/slice_fixture.h"

namespace meridian::slice_test {
namespace {

class PressureTest : public SliceTest {
 protected:
  void SetUp() override {
    SliceTest::SetUp();
    CatalogOptions options;
    options.target = source_;
    store_.emplace(options);
    ASSERT_TRUE(store_->Migrate().ok());
    Run("INSERT INTO moves (range, distribution, source, target, cutover_timeout_ms,"
        " max_replica_lag_ms, verify, asked_by) VALUES ('r', 'd', 's1', 's2', 1, 1, true, 'me');"
        "INSERT INTO proxies SELECT p, now(), 1, 1, '{}' FROM unnest('{a,b}'::text[]) p");
  }
  void TearDown() override {
    store_.reset();
    SliceTest::TearDown();
  }

  void Run(const std::string& sql) { AtSource().Query("SET search_path = meridian; " + sql); }
  // `fast` statements of 100 us, and `slow` ones of 9 ms, in the last moment.
  void Tell(const std::string& proxy, const std::string& shard, int fast, int slow,
            const std::string& at = "now()") {
    HistogramTotals recent, usual;
    for (int i = 0; i < fast; ++i) recent.Record(100);
    for (int i = 0; i < slow; ++i) recent.Record(9'000);
    for (int i = 0; i < fast; ++i) usual.Record(i < fast / 50 ? 700 : 100);  // 2 of 100
    Run("INSERT INTO shard_latency (proxy, shard, recent, usual, at) VALUES ('" + proxy + "', '" +
        shard + "', '" + FormatHistogram(recent) + "', '" + FormatHistogram(usual) + "', " + at +
        ") ON CONFLICT (proxy, shard) DO UPDATE SET recent = EXCLUDED.recent, usual ="
        " EXCLUDED.usual, at = EXCLUDED.at");
  }
  void NoteBefore() {
    const absl::Status noted =
        store_->Use([](PgConnection& catalog) { return NoteLatencyBefore(catalog, 1); });
    ASSERT_TRUE(noted.ok()) << noted;
  }
  // "s1 8/2.7": per cent now and their limit.
  std::string Look() {
    std::string text;
    const absl::Status looked = store_->Use([&](PgConnection& catalog) -> absl::Status {
      const auto found = LatencyPressure(catalog, 1, seen_);
      if (!found.ok()) return found.status();
      for (const Pressure& one : *found) {
        text += fmt::format("{} {:.3g}/{:.3g} ", one.what.substr(one.what.rfind(' ') + 1), one.now,
                            one.limit);
      }
      return absl::OkStatus();
    });
    EXPECT_TRUE(looked.ok()) << looked;
    return text;
  }

  std::optional<CatalogStore> store_;
  LatencySeen seen_;
};

TEST_F(PressureTest, LatencyIsComparedWithWhatItWas) {
  NoteBefore();
  EXPECT_EQ(Look(), "");  // nothing is known
  Tell("a", "s1", 200, 0);
  Tell("b", "s1", 200, 0);
  Tell("b", "s2", 5, 5);  // too few
  EXPECT_EQ(Look(), "");  // nothing from before
  NoteBefore();
  Tell("a", "s1", 196, 4);
  Tell("b", "s2", 200, 9);  // there was nothing to compare it with
  EXPECT_EQ(Look(), "s1 1/5.5 ");
  EXPECT_EQ(Look(), "");  // each report once
  Tell("b", "s1", 180, 20);
  EXPECT_EQ(Look(), "s1 6/5.5 ");
  Tell("b", "s1", 180, 20);
  EXPECT_EQ(Look(), "");  // is partly from before it has slowed down
  Tell("b", "s1", 180, 20, "now() + interval '2 s'");
  EXPECT_EQ(Look(), "s1 6/5.5 ");
  NoteBefore();  // what it was stays what it was
  seen_ = {};
  Tell("a", "s1", 200, 0);
  Tell("b", "s1", 200, 0);
  Tell("b", "s2", 200, 0);
  EXPECT_EQ(Look(), "s1 0/5.5 s2 0/6 ");
  Tell("a", "s1", 1, 1);
  Tell("b", "s1", 1, 1);
  Tell("b", "s2", 0, 0);
  EXPECT_EQ(Look(), "");  // too few
  Tell("a", "s1", 100, 100, "now() - interval '1 min'");
  Tell("b", "s1", 100, 100, "now() - interval '1 min'");
  EXPECT_EQ(Look(), "");  // who does not answer any more
}

}  // namespace
}  // namespace meridian::slice_test
