// Rows of a key range copied and followed from one real server to another, while they change.
#include <atomic>
#include <random>

#include "tests/rebalance/stream/slice_fixture.h"

namespace meridian::slice_test {
namespace {

TEST_F(SliceTest, CopiesTheRangeAndFollowsIt) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v text, n numeric, at timestamptz)");
  AtSource().Query(
      "INSERT INTO t SELECT i, 'row ' || i, i / 7.0, now() FROM generate_series(1, 3000) i");
  Distribute({{"t", "k"}});
  Copy();
  AtSource().Query("UPDATE t SET v = v || '!' WHERE k % 3 = 0");
  AtSource().Query("DELETE FROM t WHERE k % 5 = 0");
  AtSource().Query(
      "INSERT INTO t SELECT i, NULL, 'NaN', 'infinity' FROM generate_series(1000, "
      "2500, 5) i");
  BeginToFollow();
  EXPECT_TRUE(*FollowToBarrier());
  ExpectSameRows();
  EXPECT_EQ(AtTarget().Value("SELECT count(*) FROM t"), "1000");
  EXPECT_FALSE(*follower_->Until("never", steady_clock::now() + milliseconds(50)));
}

TEST_F(SliceTest, FollowsWritersUntilTheyStop) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v int, big text)");
  OnBoth("ALTER TABLE t ALTER big SET STORAGE EXTERNAL");
  AtSource().Query(
      "INSERT INTO t SELECT i, 0, repeat(i::text, 2000) FROM generate_series(900, 2100) i");
  Distribute({{"t", "k"}}, true);
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (int w = 0; w < 3; ++w) {
    writers.emplace_back([this, w, &stop] {
      Connection connection = AtSource();
      std::mt19937 random(static_cast<unsigned>(w));
      while (!stop) {
        const std::string k = std::to_string(900 + static_cast<int>(random() % 1200));
        switch (random() % 6) {
          case 0:
            connection.Query("DELETE FROM t WHERE k = " + k);
            break;
          case 1:
            connection.Query("INSERT INTO t VALUES (" + k +
                             ", 1, repeat('x', 5000)) ON CONFLICT DO NOTHING");
            break;
          case 2:
            // Who locks many rows does so alone: two would wait for each other.
            connection.Query("BEGIN; SELECT pg_advisory_xact_lock(1)");
            connection.Query("SAVEPOINT s; DELETE FROM t WHERE k > 1900; ROLLBACK TO s");
            connection.Query("UPDATE t SET v = v + 1 WHERE k = " + k);
            connection.Query(random() % 2 == 0 ? "COMMIT" : "ROLLBACK");
            break;
          case 3:
            connection.Query("UPDATE t SET big = repeat('y', 4000) WHERE k = " + k);
            break;
          default:
            connection.Query("UPDATE t SET v = v + 1 WHERE k = " + k);
        }
      }
    });
  }
  Copy();
  BeginToFollow();
  for (int i = 0; i < 5; ++i) {  // as after crashes: what is not durable comes again
    EXPECT_FALSE(*follower_->Until("", steady_clock::now() + milliseconds(150)));
    BeginToFollow();
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_TRUE(*FollowToBarrier());
  ExpectSameRows();
  EXPECT_GT(applier_->applied(), start_);
}

TEST_F(SliceTest, KindsOfColumns) {
  OnBoth(
      "CREATE TABLE odd (\"Key\" bigint NOT NULL, id int GENERATED ALWAYS AS IDENTITY,"
      " twice bigint GENERATED ALWAYS AS (\"Key\" * 2) STORED, gone int, a int[], j jsonb,"
      " b bytea, i interval, f float8, \"c\"\"d\" char(5), PRIMARY KEY (\"Key\", id))");
  OnBoth("ALTER TABLE odd DROP gone");
  AtSource().Query(
      "INSERT INTO odd (\"Key\", a, j, b, i, f, \"c\"\"d\") SELECT k, ARRAY[k, NULL],"
      " '{\"k\": [1, \"\\\\n\"]}', '\\x00ff', '1 mon -2 days', 1.0 / k, E'\\t' FROM"
      " generate_series(1500, 1600) k");
  Distribute({{"odd", "Key"}});
  Copy();
  AtSource().Query(
      "SET intervalstyle = iso_8601; SET bytea_output = escape;"
      "UPDATE odd SET i = i * 2, b = b || b, f = f / 3 WHERE id < 50");
  AtSource().Query("UPDATE odd SET \"Key\" = \"Key\" + 200 WHERE id % 7 = 0");
  BeginToFollow();
  EXPECT_TRUE(*FollowToBarrier());
  ExpectSameRows();
}

TEST_F(SliceTest, PartitionsForeignKeysAndTriggers) {
  OnBoth(
      "CREATE TABLE customers (c bigint PRIMARY KEY);"
      "CREATE TABLE orders (c bigint REFERENCES customers, o int, v int, PRIMARY KEY (c, o))"
      " PARTITION BY HASH (o);"
      "CREATE TABLE orders_0 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
      "CREATE TABLE orders_1 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
      "CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN NEW.v := NEW.v + 1; RETURN NEW; END';"
      "CREATE TRIGGER add BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION add()");
  AtSource().Query("INSERT INTO customers SELECT generate_series(1, 3000)");
  AtSource().Query(
      "INSERT INTO orders SELECT c, o, 0 FROM generate_series(1, 3000, 7) c, generate_series(1, 4) "
      "o");
  Distribute({{"orders", "c"}, {"customers", "c"}});
  Copy();
  AtSource().Query("UPDATE orders SET v = v * 10 WHERE o = 2");
  AtSource().Query("UPDATE orders SET o = o + 10 WHERE o = 3");  // to another partition
  AtSource().Query("INSERT INTO customers VALUES (1900000000)");
  BeginToFollow();
  EXPECT_TRUE(*FollowToBarrier());
  ExpectSameRows();
}

TEST_F(SliceTest, KeysThatCrossTheEndsOfTheRange) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v text)");
  AtSource().Query("INSERT INTO t SELECT i, 'v' FROM generate_series(500, 2500) i");
  Distribute({{"t", "k"}});
  Copy();
  AtSource().Query("UPDATE t SET k = k + 10000 WHERE k % 10 = 3");  // out, or nowhere
  AtSource().Query("UPDATE t SET k = k - 10000 WHERE k >= 11003");  // and back in
  BeginToFollow();
  EXPECT_TRUE(*FollowToBarrier());
  ExpectSameRows();
}

// PostgreSQL makes an INSERT of such an UPDATE, without the large values that it left as they were.
TEST_F(SliceTest, ALargeValueThatIsNotInTheStreamIsToldApart) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v text)");
  OnBoth("ALTER TABLE t ALTER v SET STORAGE EXTERNAL");
  AtSource().Query("INSERT INTO t VALUES (1500, 'x'), (5000, repeat('y', 10000))");
  Distribute({{"t", "k"}});
  Copy();
  AtSource().Query("UPDATE t SET k = 1501 WHERE k = 5000");
  BeginToFollow();
  EXPECT_EQ(State(FollowToBarrier().status()), kValueNotSent);
}

TEST_F(SliceTest, ARowThatIsMissingAtTheTargetIsNoticed) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v text)");
  AtSource().Query("INSERT INTO t VALUES (1500, 'x'), (1501, 'y')");
  Distribute({{"t", "k"}});
  for (const char* const change :
       {"UPDATE t SET v = 'z' WHERE k = 1500", "DELETE FROM t WHERE k = 1500"}) {
    Copy();
    AtTarget().Query("DELETE FROM t WHERE k = 1500");
    AtSource().Query(change);
    BeginToFollow();
    EXPECT_EQ(State(FollowToBarrier().status()), "XX000") << change;
    TearDown();
    SetUp();
    OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v text)");
    AtSource().Query("INSERT INTO t VALUES (1500, 'x'), (1501, 'y')");
  }
}

TEST_F(SliceTest, TablesWithoutAUsableIdentityAreRefused) {
  AtSource().Query(
      "CREATE TABLE none (k bigint NOT NULL);"
      "CREATE TABLE other_key (k bigint NOT NULL, id int PRIMARY KEY);"
      "CREATE TABLE late (k bigint PRIMARY KEY DEFERRABLE);"
      "CREATE TABLE nothing (k bigint PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;"
      "CREATE TABLE part (k bigint PRIMARY KEY) PARTITION BY RANGE (k);"
      "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);"
      "ALTER TABLE part_1 REPLICA IDENTITY NOTHING;"
      "CREATE TABLE full_rows (k bigint NOT NULL); ALTER TABLE full_rows REPLICA IDENTITY FULL;"
      "CREATE TABLE full_key (k bigint PRIMARY KEY, v int);"
      "ALTER TABLE full_key REPLICA IDENTITY FULL;"
      "CREATE TABLE included (k bigint, v int, PRIMARY KEY (k) INCLUDE (v));"
      "CREATE TABLE by_index (k bigint NOT NULL, i int NOT NULL, UNIQUE (k, i));"
      "ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_k_i_key");
  Distribute({});
  auto connection = *PgConnection::Connect(source_);
  const auto read = [&](const std::string& table, bool full_identity = false) {
    return ReadMovedTable(connection,
                          {.name = {"public", table},
                           .kind = MappedTable::Kind::kSharded,
                           .distribution = 0,
                           .key_columns = {"k"}},
                          *distribution_, 1, full_identity);
  };
  for (const char* const table : {"none", "other_key", "late", "nothing", "part"}) {
    EXPECT_EQ(State(read(table).status()), "55000") << table;
    EXPECT_TRUE(read(table, true)->needs_full_identity) << table;
  }
  EXPECT_TRUE(read("none", true)->by_whole_row);
  EXPECT_TRUE(read("late", true)->by_whole_row);
  EXPECT_FALSE(read("part", true)->by_whole_row);
  EXPECT_TRUE(read("full_rows")->by_whole_row);
  for (const char* const table : {"full_key", "included"}) {
    EXPECT_THAT(read(table)->identity, ::testing::ElementsAre("k")) << table;
    EXPECT_FALSE(read(table)->needs_full_identity) << table;
  }
  EXPECT_THAT(read("by_index")->identity, ::testing::ElementsAre("k", "i"));
}

// Rows that are the same, or that only their text tells apart; types without =; NULL; large values.
TEST_F(SliceTest, RowsWithoutAKeyAreFollowedByAllTheirColumns) {
  OnBoth(
      "CREATE TABLE t (k bigint NOT NULL, n numeric, j json, p point, v text, at timestamptz,"
      " id bigint GENERATED ALWAYS AS IDENTITY, twice bigint GENERATED ALWAYS AS (k * 2) STORED);"
      "ALTER TABLE t ALTER v SET STORAGE EXTERNAL; ALTER TABLE t REPLICA IDENTITY FULL");
  AtSource().Query(
      "INSERT INTO t SELECT 1000 + i / 2, CASE i % 2 WHEN 0 THEN 1.0 ELSE 1.00 END, '{\"a\":  1}',"
      " '(1,2)', CASE WHEN i % 3 = 0 THEN repeat('x', 10000) END, now() FROM generate_series(0, "
      "39) i;"
      "INSERT INTO t OVERRIDING SYSTEM VALUE SELECT 1500, 7, NULL, NULL, 'same', NULL, 7"
      " FROM generate_series(1, 5)");
  Distribute({{"t", "k"}});
  Copy();
  BeginToFollow();
  AtSource().Query("DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE k = 1500 LIMIT 2)");
  AtSource().Query("UPDATE t SET n = 8 WHERE ctid IN (SELECT ctid FROM t WHERE k = 1500 LIMIT 1)");
  AtSource().Query("UPDATE t SET n = 2 WHERE n::text = '1.00' AND k < 1010");
  AtSource().Query("UPDATE t SET j = '{}', p = NULL, at = at + interval '1 us' WHERE k > 1015");
  AtSource().Query("DELETE FROM t WHERE k = 1012");
  AtSource().Query("UPDATE t SET k = 3000 WHERE k = 1003");
  AtSource().Query("INSERT INTO t (k, v) VALUES (5, repeat('y', 10000))");
  AtSource().Query("UPDATE t SET k = 1700 WHERE k = 5");  // into the range, with its large value
  const auto caught_up = FollowToBarrier();
  ASSERT_TRUE(caught_up.ok()) << caught_up.status();
  EXPECT_TRUE(*caught_up);
  ExpectSameRows();
}

// Text goes from one to the other, and is compared.
TEST_F(SliceTest, ServersMayBeConfiguredDifferently) {
  OnBoth(
      "CREATE TABLE t (k bigint PRIMARY KEY, at timestamptz, day date, span interval, bits bytea,"
      " list text[], x float8, doc xml, price money)");
  for (const char* const setting :
       {"timezone = 'Asia/Tokyo'", "datestyle = 'German, DMY'", "intervalstyle = iso_8601",
        "bytea_output = escape", "array_nulls = off", "extra_float_digits = 0",
        "xmloption = document"}) {
    AtTarget().Query(std::string("ALTER DATABASE shop SET ") + setting);
  }
  AtSource().Query("ALTER DATABASE shop SET timezone = 'America/New_York'");
  AtSource().Query(
      "INSERT INTO t SELECT i, timestamptz '2024-03-01 12:00' + i * interval '7 h', date "
      "'2024-02-03',"
      " '1 mon -3 days 04:05:06.7', '\\x00ff5c', ARRAY['a', NULL, 'NULL'], 1 / 3.0::float8,"
      " 'a<b/>', 1234.56 FROM generate_series(1000, 1020) i");
  Distribute({{"t", "k"}});
  Copy();
  BeginToFollow();
  AtSource().Query(
      "UPDATE t SET at = at + interval '1 us', list = ARRAY[NULL], x = 0.1, bits = '\\x5c'"
      " WHERE k > 1010");
  const auto caught_up = FollowToBarrier();
  ASSERT_TRUE(caught_up.ok()) << caught_up.status();
  EXPECT_TRUE(*caught_up);
  auto a = *OpenForRows(source_), b = *OpenForRows(target_);
  EXPECT_EQ(a.Query("SELECT string_agg(t::text, ' ' ORDER BY k) FROM public.t")->Text(0, 0),
            b.Query("SELECT string_agg(t::text, ' ' ORDER BY k) FROM public.t")->Text(0, 0));
}

TEST_F(SliceTest, TheEndOfTheServersIsNoticed) {
  OnBoth("CREATE TABLE t (k bigint PRIMARY KEY, v text)");
  AtSource().Query("INSERT INTO t SELECT i, 'x' FROM generate_series(1000, 1999) i");
  Distribute({{"t", "k"}});
  Copy();
  BeginToFollow();
  AtSource().Query("UPDATE t SET v = 'y'");
  AtSource().Query(
      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active");
  EXPECT_FALSE(follower_->Until("", steady_clock::now() + seconds(10)).ok());
  BeginToFollow();
  AtTarget().Query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'meridian'");
  AtSource().Query("UPDATE t SET v = 'z' WHERE k % 2 = 0");
  EXPECT_FALSE(follower_->Until("", steady_clock::now() + seconds(10)).ok());
  BeginToFollow();
  EXPECT_TRUE(*FollowToBarrier());
  ExpectSameRows();
}

}  // namespace
}  // namespace meridian::slice_test
