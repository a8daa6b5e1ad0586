// What slows a move down, as the catalog has it.
#include "rebalance/pressure.h"

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
  void Tell(const std::string& proxy, const std::string& shard, int samples, int p99_us,
            const std::string& at = "now()") {
    Run("INSERT INTO shard_latency VALUES ('" + proxy + "', '" + shard + "', " +
        std::to_string(samples) + ", " + std::to_string(p99_us) + ", " + at +
        ") ON CONFLICT (proxy, shard) DO UPDATE SET samples = EXCLUDED.samples, p99_us ="
        " EXCLUDED.p99_us, at = EXCLUDED.at");
  }
  void NoteBefore() {
    const absl::Status noted =
        store_->Use([](PgConnection& catalog) { return NoteLatencyBefore(catalog, 1); });
    ASSERT_TRUE(noted.ok()) << noted;
  }
  // "s1 800/725": now and its limit.
  std::string Look() {
    std::string text;
    const absl::Status looked = store_->Use([&](PgConnection& catalog) -> absl::Status {
      const auto found = LatencyPressure(catalog, 1, seen_);
      if (!found.ok()) return found.status();
      for (const Pressure& one : *found) {
        text += one.what.substr(one.what.rfind(' ') + 1) + " " +
                std::to_string(static_cast<int>(one.now)) + "/" +
                std::to_string(static_cast<int>(one.limit)) + " ";
      }
      return absl::OkStatus();
    });
    EXPECT_TRUE(looked.ok()) << looked;
    return text;
  }

  std::optional<CatalogStore> store_;
  std::string seen_;
};

TEST_F(PressureTest, LatencyIsComparedWithWhatItWas) {
  NoteBefore();
  EXPECT_EQ(Look(), "");  // nothing is known
  Tell("a", "s1", 100, 500);
  Tell("b", "s1", 100, 400);
  Tell("b", "s2", 5, 9000);  // too few
  EXPECT_EQ(Look(), "");     // nothing from before
  NoteBefore();
  Tell("a", "s1", 100, 700);
  Tell("b", "s2", 100, 9000);  // there was nothing to compare it with
  EXPECT_EQ(Look(), "s1 700/725 ");
  EXPECT_EQ(Look(), "");  // each report once
  Tell("b", "s1", 100, 2000);
  EXPECT_EQ(Look(), "s1 2000/725 ");
  NoteBefore();  // what it was stays what it was
  Tell("a", "s1", 100, 300);
  Tell("b", "s2", 100, 9000);
  EXPECT_EQ(Look(), "s1 2000/725 s2 9000/11350 ");
  Tell("a", "s1", 100, 300, "now() - interval '1 min'");
  Tell("b", "s1", 100, 300, "now() - interval '1 min'");
  EXPECT_EQ(Look(), "");  // who does not answer any more
}

}  // namespace
}  // namespace meridian::slice_test
