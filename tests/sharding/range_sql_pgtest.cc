// Distribution::Locate and the SQL condition agree about every row, as real servers see it.
#include "sharding/range_sql.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/pg_cluster.h"
#include "tests/support/random_keys.h"

namespace meridian {
namespace {

constexpr int kRounds = 120;
constexpr int kRowsPerRound = 60;

PgCluster& Cluster() {
  static PgCluster cluster;
  return cluster;
}

std::vector<KeyColumn> RandomColumns(Random& random) {
  std::vector<KeyColumn> columns;
  for (size_t count = 1 + random() % 3; count > 0; --count) {
    const KeyType type = kAllKeyTypes[random() % std::size(kAllKeyTypes)];
    columns.push_back({type, IsHashable(type) && random() % 2 == 0});
  }
  return columns;
}

KeyValue RandomComponent(const KeyColumn& column, Random& random) {
  const KeyValue value = *ParseKeyText(column.type, RandomKeyText(column.type, random));
  return column.hashed ? KeyValue(HashKey(column.type, value)) : value;
}

Distribution RandomDistribution(Random& random) {
  const std::vector<KeyColumn> columns = RandomColumns(random);
  const auto below = [](const KeyTuple& a, const KeyTuple& b) { return Compare(a, b) < 0; };
  std::vector<KeyTuple> bounds(1);
  for (size_t count = random() % 6; count > 0; --count) {
    KeyTuple bound;
    for (size_t i = 0, n = 1 + random() % columns.size(); i < n; ++i) {
      // Often the beginning of another bound, so that prefixes meet.
      const KeyTuple& other = bounds[random() % bounds.size()];
      const bool copy = i < other.size() && bound.size() == i && random() % 2 == 0;
      bound.push_back(copy ? other[i] : RandomComponent(columns[i], random));
    }
    bounds.push_back(std::move(bound));
  }
  std::sort(bounds.begin(), bounds.end(), below);
  std::vector<KeyRange> ranges;
  for (KeyTuple& bound : bounds) {
    if (!ranges.empty() && Compare(ranges.back().lower.values, bound) == 0) continue;
    const auto owner = static_cast<uint16_t>(random() % 3);
    ranges.push_back({fmt::format("r{}", ranges.size()), KeyBound{std::move(bound)}, {owner}});
  }
  auto built = Distribution::Build("d", columns, std::move(ranges));
  EXPECT_TRUE(built.ok()) << built.status();
  return *std::move(built);
}

class RangeSql : public testing::Test {
 protected:
  // A table of random rows; each row's key in `keys_`, absent where it holds a NULL.
  void MakeRows(const Distribution& distribution, Random& random) {
    std::string definition = "id int";
    columns_.clear();
    keys_.clear();
    for (size_t i = 0; i < distribution.columns().size(); ++i) {
      columns_.push_back(fmt::format("\"K {}\"", i));
      const KeyColumn& column = distribution.columns()[i];
      const bool varchar = column.type == KeyType::kText && random() % 2 == 0;
      definition += fmt::format(", {} {}", columns_.back(),
                                varchar ? "varchar" : std::string(KeyTypeName(column.type)));
    }
    connection_.Query("DROP TABLE IF EXISTS t; CREATE TABLE t (" + definition + ")");
    std::string rows;
    for (int id = 0; id < kRowsPerRound; ++id) {
      rows += fmt::format("{}({}", id == 0 ? "" : ", ", id);
      std::optional<KeyTuple> key(std::in_place);
      for (size_t i = 0; i < distribution.columns().size(); ++i) {
        const std::string sql = RandomValue(distribution, i, random, key);
        rows += ", " + sql;
      }
      rows += ")";
      keys_.push_back(key);
    }
    connection_.Query("INSERT INTO t VALUES " + rows);
  }

  std::string RandomValue(const Distribution& distribution, size_t i, Random& random,
                          std::optional<KeyTuple>& key) {
    if (random() % 20 == 0) {
      key.reset();
      return "NULL";
    }
    const KeyType type = distribution.columns()[i].type;
    KeyValue value = *ParseKeyText(type, RandomKeyText(type, random));
    // Often the very value of a bound.
    const KeyBound& bound = distribution.ranges()[random() % distribution.ranges().size()].lower;
    if (!distribution.columns()[i].hashed && i < bound.values.size() && random() % 2 == 0) {
      value = bound.values[i];
    }
    if (key) key->push_back(distribution.ToSpace(i, value));
    return QuoteLiteral(FormatKey(type, value));
  }

  std::vector<int> Ids(const std::string& condition) {
    std::vector<int> ids;
    const PgRows rows = connection_.Query("SELECT id FROM t WHERE " + condition + " ORDER BY id");
    for (size_t r = 0; r < rows.size(); ++r) ids.push_back(std::stoi(rows.at(r, 0)));
    return ids;
  }

  Connection connection_ = Cluster().Connect();
  std::vector<std::string> columns_;
  std::vector<std::optional<KeyTuple>> keys_;
};

TEST_F(RangeSql, AgreesWithLocate) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    const Distribution distribution = RandomDistribution(random);
    MakeRows(distribution, random);
    std::map<std::string, std::vector<int>> by_range;
    std::map<uint16_t, std::vector<int>> by_owner;
    for (int id = 0; id < kRowsPerRound; ++id) {
      if (!keys_[id]) continue;
      const KeyRange& range = distribution.Locate(*keys_[id]);
      by_range[range.name].push_back(id);
      by_owner[range.owner.value].push_back(id);
    }
    for (size_t r = 0; r < distribution.ranges().size(); ++r) {
      const std::string sql = meridian::RangeSql(distribution, r, columns_);
      EXPECT_EQ(Ids(sql), by_range[distribution.ranges()[r].name]) << sql;
    }
    for (uint16_t owner = 0; owner < 3; ++owner) {
      const std::string sql = OwnedSql(distribution, ShardIndex{owner}, columns_);
      EXPECT_EQ(Ids(sql), by_owner[owner]) << sql;
      EXPECT_EQ(Ids(OutsideSql(sql)).size(), kRowsPerRound - by_owner[owner].size()) << sql;
    }
  }
}

// A publication's row filter allows only some expressions (PostgreSQL documentation, "Row
// Filters").
TEST_F(RangeSql, IsAllowedAsARowFilter) {
  Random random(1);
  for (int round = 0; round < 20; ++round) {
    const Distribution distribution = RandomDistribution(random);
    MakeRows(distribution, random);
    const std::string sql = OwnedSql(distribution, distribution.ranges()[0].owner, columns_);
    connection_.Query("DROP PUBLICATION IF EXISTS p");
    const auto made = connection_.TryQuery("CREATE PUBLICATION p FOR TABLE t WHERE (" + sql + ")");
    EXPECT_TRUE(made.ok()) << sql << ": " << made.status();
  }
  connection_.Query("DROP PUBLICATION IF EXISTS p");
}

}  // namespace
}  // namespace meridian
