// HashKey against PostgreSQL: the SQL of HashSql, hash partitioning, and a publication's row
// filter.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sharding/key_value.h"
#include "sharding/quote.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/random_keys.h"

namespace meridian {
namespace {

constexpr int kRandomValues = 5000;

class Hash : public ::testing::TestWithParam<KeyType> {
 protected:
  static void SetUpTestSuite() { cluster_ = new PgCluster; }
  static void TearDownTestSuite() {
    delete cluster_;
    cluster_ = nullptr;
  }

  static std::vector<std::string> Texts() {
    std::vector<std::string> texts = EdgeKeyTexts(GetParam());
    Random random(20240229);
    for (int i = 0; i < kRandomValues; ++i) texts.push_back(RandomKeyText(GetParam(), random));
    return texts;
  }
  static std::string Type() { return std::string(KeyTypeName(GetParam())); }
  static int64_t HashOf(const std::string& text) {
    const absl::StatusOr<KeyValue> value = ParseKeyText(GetParam(), text);
    EXPECT_TRUE(value.ok()) << text << ": " << value.status();
    return value.ok() ? HashKey(GetParam(), *value) : 0;
  }

  Connection connection_ = cluster_->Connect();

 private:
  static PgCluster* cluster_;
};

PgCluster* Hash::cluster_ = nullptr;

// "(0,'a'),(1,'b')"
std::string ValuesList(const std::vector<std::string>& texts) {
  std::string list;
  for (size_t i = 0; i < texts.size(); ++i) {
    list += fmt::format("{}({},{})", i == 0 ? "" : ",", i, QuoteLiteral(texts[i]));
  }
  return list;
}

TEST_P(Hash, IsWhatItsSqlGives) {
  const std::vector<std::string> texts = Texts();
  const PgRows rows = connection_.Query(
      fmt::format("select {} from (select i, t::{} as k from (values {}) v(i, t)) s order by i",
                  HashSql(GetParam(), "s.k"), Type(), ValuesList(texts)));
  ASSERT_EQ(rows.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(rows.at(i, 0), std::to_string(HashOf(texts[i]))) << texts[i];
  }
}

TEST_P(Hash, IsWhatHashPartitioningUses) {
  // compute_partition_hash_value combines the hash of a single column with 0
  // (PostgreSQL: src/include/common/hashfn.h, hash_combine64).
  constexpr uint64_t kCombine = 0x49a0f4dd15e5a8e3;
  const std::vector<std::string> texts = Texts();
  connection_.Query("drop table if exists part");
  connection_.Query(fmt::format("create table part (k {}) partition by hash (k)", Type()));
  for (const uint64_t modulus : {2147483647u, 1u << 30}) {
    std::string list;
    for (const std::string& text : texts) {
      const uint64_t row_hash = static_cast<uint64_t>(HashOf(text)) + kCombine;
      list +=
          fmt::format("{}({},{})", list.empty() ? "" : ",", QuoteLiteral(text), row_hash % modulus);
    }
    const PgRows wrong = connection_.Query(
        fmt::format("select t from (values {}) v(t, remainder) where not "
                    "satisfies_hash_partition('part'::regclass, {}, remainder::int, t::{})",
                    list, modulus, Type()));
    EXPECT_EQ(wrong.size(), 0u) << wrong.at(0, 0);
  }
}

TEST_P(Hash, OfNullIsNull) {
  EXPECT_TRUE(connection_.Query("select " + HashSql(GetParam(), "null::" + Type())).IsNull(0, 0));
}

TEST_P(Hash, SqlIsImmutableAndIgnoresTheSearchPath) {
  connection_.Query(fmt::format("create temp table t (k {})", Type()));
  connection_.Query(fmt::format("create index on t (({}))", HashSql(GetParam(), "k")));
  connection_.Query("create schema evil");
  connection_.Query("create type evil.int8 as (a int); create type evil.text as (a int)");
  connection_.Query("set search_path = evil, pg_catalog");
  EXPECT_TRUE(
      connection_.TryQuery(fmt::format("select {} from pg_temp.t", HashSql(GetParam(), "k"))).ok());
  connection_.Query("reset search_path; drop schema evil cascade");
}

// Moves follow a range by a publication with this filter.
TEST_P(Hash, SqlFiltersAPublication) {
  connection_.Query("drop publication if exists p; drop table if exists filtered");
  connection_.Query(fmt::format("create table filtered (k {})", Type()));
  connection_.Query(fmt::format(
      "create publication p for table filtered where ({} >= 0) with (publish = 'insert')",
      HashSql(GetParam(), "k")));
  connection_.Query("select pg_create_logical_replication_slot('s', 'pgoutput')");
  const std::vector<std::string> texts = EdgeKeyTexts(GetParam());
  connection_.Query(fmt::format("insert into filtered select t::{} from (values {}) v(i, t)",
                                Type(), ValuesList(texts)));
  connection_.Query("insert into filtered values (null)");
  int expected = 0;
  for (const std::string& text : texts) expected += HashOf(text) >= 0 ? 1 : 0;
  EXPECT_EQ(connection_.Value("select count(*) from pg_logical_slot_peek_binary_changes('s', null, "
                              "null, 'proto_version', '1', 'publication_names', 'p') "
                              "where get_byte(data, 0) = ascii('I')"),
            std::to_string(expected));
  connection_.Query("select pg_drop_replication_slot('s')");
}

TEST(HashSql, IsTheSameForAllIntegerTypes) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  const int64_t hash = HashKey(KeyType::kBigint, int64_t{-7});
  for (const char* type : {"int2", "int4", "int8"}) {
    EXPECT_EQ(
        connection.Value("select " + HashSql(KeyType::kBigint, fmt::format("(-7)::{}", type))),
        std::to_string(hash));
  }
}

TEST(HashSql, OfTextIgnoresTheCollation) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  const std::string hash = std::to_string(HashKey(KeyType::kText, "Straße"));
  connection.Query(
      "create collation ci (provider = icu, locale = 'und-u-ks-level2', "
      "deterministic = false)");
  for (const char* collation : {"\"C\"", "\"POSIX\"", "\"und-x-icu\"", "ci"}) {
    connection.Query(fmt::format(
        "create temp table t (k text collate {}, v varchar(20) collate {})", collation, collation));
    connection.Query("insert into t values ('Straße', 'Straße')");
    EXPECT_EQ(connection.Value("select " + HashSql(KeyType::kText, "k") + " from t"), hash);
    EXPECT_EQ(connection.Value("select " + HashSql(KeyType::kText, "v") + " from t"), hash);
    connection.Query("drop table t");
  }
}

std::vector<KeyType> HashableTypes() {
  std::vector<KeyType> types;
  for (const KeyType type : kAllKeyTypes) {
    if (IsHashable(type)) types.push_back(type);
  }
  return types;
}

std::string NameOf(const ::testing::TestParamInfo<KeyType>& info) {
  std::string name(KeyTypeName(info.param));
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Types, Hash, ::testing::ValuesIn(HashableTypes()), NameOf);

}  // namespace
}  // namespace meridian
