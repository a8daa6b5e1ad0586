// Where ranges are cut, by the rows that they have on a real server.
#include "rebalance/split_point.h"

#include "tests/rebalance/stream/slice_fixture.h"

namespace meridian::slice_test {
namespace {

class SplitPointTest : public SliceTest {
 protected:
  MappedTable Table(const std::string& name, std::vector<std::string> keys) {
    return {.name = {"public", name},
            .kind = MappedTable::Kind::kSharded,
            .distribution = 0,
            .key_columns = std::move(keys)};
  }

  // The cut of ranges()[range], as text; "-" where there is none.
  std::string Cut(const std::vector<MappedTable>& tables, const Distribution& distribution,
                  double fraction, size_t range = 0) {
    auto owner = *PgConnection::Connect(source_);
    const auto point = SplitPoint(owner, tables, distribution, range, fraction);
    if (!point.ok()) return State(point.status());
    if (!point->has_value()) return "-";
    std::string text;
    for (size_t i = 0; i < (*point)->values.size(); ++i) {
      text += (i > 0 ? "," : "") +
              FormatKey(distribution.columns()[i].space_type(), (*point)->values[i]);
    }
    return text;
  }

  static Distribution Whole(std::vector<KeyColumn> columns) {
    return *Distribution::Build("d", std::move(columns), {{"all", {}, ShardIndex{0}}});
  }
};

TEST_F(SplitPointTest, IsAtThePartOfTheRowsThatWasAskedFor) {
  AtSource().Query(
      "CREATE TABLE t (k bigint, n int); INSERT INTO t SELECT i, 1 FROM generate_series(1, 3000) i;"
      "CREATE TABLE empty (k bigint); ANALYZE");
  Distribute({});
  const std::vector<MappedTable> tables{Table("empty", {"k"}), Table("t", {"k"})};
  EXPECT_EQ(Cut(tables, *distribution_, 0.5, 1), "1500");
  EXPECT_EQ(Cut(tables, *distribution_, 0.1, 1), "1100");
  EXPECT_EQ(Cut(tables, *distribution_, 0.0, 1), "1001");  // something is below
  EXPECT_EQ(Cut(tables, *distribution_, 0.9999, 1), "1999");
  EXPECT_EQ(Cut({Table("empty", {"k"})}, *distribution_, 0.5, 1), "-");
  EXPECT_EQ(Cut({}, *distribution_, 0.5, 1), "-");
  AtSource().Query("DELETE FROM t WHERE k > 1 AND k < 1999; INSERT INTO t SELECT 1999, 1 FROM t");
  EXPECT_EQ(Cut(tables, *distribution_, 0.5, 1), "-");  // one key only
}

TEST_F(SplitPointTest, IsNearItForLargeTables) {
  AtSource().Query(
      "CREATE TABLE t (k bigint PRIMARY KEY, filler text);"
      "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 200000) i; ANALYZE");
  const std::string cut = Cut({Table("t", {"k"})}, Whole({{KeyType::kBigint, false}}), 0.5);
  EXPECT_NEAR(std::stod(cut), 100'000, 10'000);
}

// Whatever the database's collation and settings are.
TEST_F(SplitPointTest, KnowsEveryTypeOfKey) {
  AtSource().Query(
      "ALTER DATABASE shop SET datestyle = 'SQL, DMY'; ALTER DATABASE shop SET timezone = "
      "'Asia/Tokyo'; ALTER DATABASE shop SET bytea_output = escape");
  AtSource().Query(
      "CREATE TABLE t (s smallint, i integer, b bigint, n numeric, t text, v varchar, u uuid, d "
      "date, ts timestamp, tz timestamptz, y bytea);"
      "INSERT INTO t SELECT x, x, x, x / 10.0, chr(64 + x), chr(64 + x), (lpad(to_hex(x), 32, "
      "'0'))::uuid, date '2020-01-01' + x, timestamp '2020-01-01' + x * interval '1 day', "
      "timestamptz '2020-01-01 00:00+00' + x * interval '1 day', set_byte('\\x00', 0, x) FROM "
      "generate_series(1, 40) x");
  const auto cut = [&](const char* column, KeyType type) {
    return Cut({Table("t", {column})}, Whole({{type, false}}), 0.5);
  };
  EXPECT_EQ(cut("s", KeyType::kSmallint), "21");
  EXPECT_EQ(cut("i", KeyType::kInteger), "21");
  EXPECT_EQ(cut("b", KeyType::kBigint), "21");
  EXPECT_EQ(cut("n", KeyType::kNumeric), "2.1");
  EXPECT_EQ(cut("t", KeyType::kText), "U");
  EXPECT_EQ(cut("v", KeyType::kText), "U");
  EXPECT_EQ(cut("u", KeyType::kUuid), "00000000-0000-0000-0000-000000000015");
  EXPECT_EQ(cut("d", KeyType::kDate), "2020-01-22");
  EXPECT_EQ(cut("ts", KeyType::kTimestamp), "2020-01-22 00:00:00");
  EXPECT_EQ(cut("tz", KeyType::kTimestamptz), "2020-01-22 00:00:00+00");
  EXPECT_EQ(cut("y", KeyType::kBytea), "\\x15");
}

TEST_F(SplitPointTest, CutsBetweenValuesOfTheFirstColumn) {
  AtSource().Query(
      "CREATE TABLE t (tenant text, id int); INSERT INTO t SELECT 't' || x % 4, x FROM "
      "generate_series(1, 400) x; CREATE TABLE one (tenant text, id int);"
      "INSERT INTO one SELECT 'a', x FROM generate_series(1, 100) x");
  const Distribution distribution = Whole({{KeyType::kText, false}, {KeyType::kInteger, false}});
  EXPECT_EQ(Cut({Table("t", {"tenant", "id"})}, distribution, 0.6), "t2");
  EXPECT_EQ(Cut({Table("one", {"tenant", "id"})}, distribution, 0.25), "a,26");
}

TEST_F(SplitPointTest, HashesAreCutWithoutLookingAtRows) {
  const Distribution distribution = Whole({{KeyType::kText, true}});
  EXPECT_EQ(Cut({}, distribution, 0.5), "0");
  EXPECT_LT(std::stoll(Cut({}, distribution, 0.25)), int64_t{-1} << 61);
  EXPECT_EQ(Cut({}, distribution, 0.0), "-9223372036854775807");
  const Distribution narrow =
      *Distribution::Build("d", {{KeyType::kText, true}},
                           {{"a", {}, ShardIndex{0}},
                            {"b", {{KeyValue(int64_t{5})}}, ShardIndex{0}},
                            {"c", {{KeyValue(int64_t{7})}}, ShardIndex{0}}});
  EXPECT_EQ(Cut({}, narrow, 0.5, 1), "-");
}

}  // namespace
}  // namespace meridian::slice_test
