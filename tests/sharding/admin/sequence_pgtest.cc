// Sequences of sharded tables: each shard has a window of its own.
#include <gmock/gmock.h>

#include "tests/sharding/admin/admin_cluster.h"

namespace meridian {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AdminSequences : public AdminCluster {
 protected:
  std::string Attach(const std::string& table) {
    return Run("ALTER DISTRIBUTION d ATTACH TABLE " + table + " DISTRIBUTION KEY k");
  }
  void Prepare(int shards = kServers) {
    CreateShards(shards);
    ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1)"), "");
  }
  std::string Next(int shard, const std::string& sequence = "t_id_seq") {
    return On(shard).Value("SELECT nextval('" + sequence + "')");
  }
};

constexpr char kSecond[] = "281474976710656";  // where the window of s2 begins
constexpr char kThird[] = "562949953421312";

TEST_F(AdminSequences, EachShardDrawsOtherValues) {
  On(0).Query(
      "CREATE TABLE t (k bigint, id bigserial, PRIMARY KEY (k, id));"
      "INSERT INTO t (k) SELECT i FROM generate_series(1, 7) i");
  Prepare();
  ASSERT_EQ(Attach("t"), "");
  EXPECT_THAT(notices_, IsEmpty());
  EXPECT_EQ(Next(0), "8");
  EXPECT_EQ(Next(1), kSecond);
  EXPECT_EQ(Next(2), kThird);
  // What would make them meet is refused by PostgreSQL.
  for (const std::string sql :
       {"SELECT setval('t_id_seq', 1000)", "ALTER SEQUENCE t_id_seq RESTART WITH 1"}) {
    EXPECT_FALSE(On(1).TryQuery(sql).ok()) << sql;
  }
  On(1).Query("TRUNCATE t RESTART IDENTITY");
  EXPECT_EQ(Next(1), kSecond);
}

TEST_F(AdminSequences, IdentityColumnsAndSequencesOfTheirOwn) {
  On(0).Query(
      "CREATE SEQUENCE \"Own\" INCREMENT 10 MINVALUE -5 START 20;"
      "CREATE TABLE t (k bigint PRIMARY KEY, id bigint GENERATED ALWAYS AS IDENTITY);"
      "CREATE TABLE u (k bigint PRIMARY KEY, id bigint DEFAULT nextval('\"Own\"'))");
  for (int i = 1; i < kServers; ++i) On(i).Query("CREATE SEQUENCE \"Own\" INCREMENT 10");
  Prepare();
  ASSERT_EQ(Attach("t"), "");
  ASSERT_EQ(Attach("u"), "");
  EXPECT_THAT(notices_, IsEmpty());
  EXPECT_EQ(Next(1), kSecond);
  EXPECT_EQ(Next(0, "\"Own\""), "20");
  EXPECT_EQ(Next(1, "\"Own\""), kSecond);
  EXPECT_EQ(Next(1, "\"Own\""), "281474976710666");
}

TEST_F(AdminSequences, WhatAnyShardHasDrawnIsNotDrawnAgain) {
  Everywhere("CREATE TABLE t (k bigint, id bigserial, PRIMARY KEY (k, id))");
  On(0).Query("SELECT setval('t_id_seq', 90, false)");  // 90 would be next
  On(2).Query("SELECT setval('t_id_seq', 90)");
  Prepare();
  ASSERT_EQ(Attach("t"), "");
  EXPECT_EQ(Next(0), "91");
  EXPECT_EQ(Next(2), kThird);
  // Once more, and nothing is drawn twice.
  ASSERT_EQ(Run("ALTER DISTRIBUTION d DETACH TABLE t"), "");
  ASSERT_EQ(Attach("t"), "");
  EXPECT_EQ(Next(0), "92");
  EXPECT_EQ(Next(2), "562949953421313");
}

TEST_F(AdminSequences, AShardThatComesLaterHasItsOwnWindow) {
  On(0).Query("CREATE TABLE t (k bigint, id bigserial, PRIMARY KEY (k, id))");
  Prepare(2);
  ASSERT_EQ(Attach("t"), "");
  EXPECT_EQ(Next(1), kSecond);
  ASSERT_EQ(Run(CreateShardSql(2)), "");
  EXPECT_EQ(Next(2), kThird);
  // The number of a shard is never another's.
  ASSERT_EQ(Run("DROP SHARD s3"), "");
  On(2).Query("DROP TABLE t");
  ASSERT_EQ(Run(CreateShardSql(2)), "");
  EXPECT_EQ(Next(2), "844424930131968");
}

TEST_F(AdminSequences, TellsOfThoseThatCannotBeDivided) {
  On(0).Query(
      "CREATE TABLE t (k bigint PRIMARY KEY, id serial);"
      "CREATE TABLE down (k bigint PRIMARY KEY,"
      " id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT -1 MINVALUE -100 MAXVALUE 100));"
      "CREATE TABLE high (k bigint PRIMARY KEY, id bigserial);"
      "SELECT setval('high_id_seq', 281474976710656)");
  Prepare();
  ASSERT_EQ(Attach("t"), "");
  EXPECT_THAT(notices_,
              ElementsAre("column \"id\" of public.t draws from sequence public.t_id_seq, "
                          "which cannot be divided between the shards: the column is not "
                          "of type bigint"));
  EXPECT_EQ(Next(0), Next(1));
  ASSERT_EQ(Attach("down"), "");
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("it descends or cycles")));
  ASSERT_EQ(Attach("high"), "");
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("it has drawn values above 2^48")));
}

// A column that cannot take all values does not keep another from it.
TEST_F(AdminSequences, OneSequenceForTwoTables) {
  On(0).Query(
      "CREATE TABLE t (k bigint PRIMARY KEY, id bigserial);"
      "CREATE TABLE u (k bigint PRIMARY KEY, id int DEFAULT nextval('t_id_seq'))");
  Prepare(2);
  ASSERT_EQ(Attach("t"), "");
  ASSERT_EQ(Attach("u"), "");
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("not of type bigint")));
  EXPECT_EQ(Next(0), "1");
  EXPECT_EQ(Next(1), kSecond);
  EXPECT_EQ(Run(CreateShardSql(2)), "");
  EXPECT_EQ(Next(2), kThird);
}

TEST_F(AdminSequences, WhoDrawsOtherwiseIsFound) {
  On(0).Query("CREATE TABLE t (k bigint PRIMARY KEY, id bigserial)");
  Prepare(2);
  ASSERT_EQ(Attach("t"), "");
  const std::string maximum = "SELECT max_value FROM pg_sequences WHERE sequencename = 't_id_seq'";
  EXPECT_EQ(On(0).Value(maximum), "281474976710655");
  // On a shard that comes: then it does not come.
  On(2).Query(
      "CREATE SEQUENCE other; CREATE SEQUENCE t_id_seq;"
      "CREATE TABLE t (k bigint PRIMARY KEY, id bigint NOT NULL DEFAULT nextval('other'))");
  EXPECT_THAT(Run(CreateShardSql(2)),
              HasSubstr("42P17 column \"id\" of public.t does not draw from sequence"));
  // On one that is there: the sequence is the default shard's again.
  ASSERT_EQ(Run("ALTER DISTRIBUTION d DETACH TABLE t"), "");
  On(1).Query("ALTER TABLE t ALTER id SET DEFAULT 7");
  ASSERT_EQ(Attach("t"), "");
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("shard \"s2\" draws otherwise")));
  EXPECT_EQ(On(0).Value(maximum), "9223372036854775807");
}

// serial makes a sequence of type integer, which stays when the column becomes a bigint.
TEST_F(AdminSequences, SequencesOfIntegerBecomeBigint) {
  On(0).Query(
      "CREATE TABLE t (k bigint PRIMARY KEY, id serial);"
      "ALTER TABLE t ALTER COLUMN id TYPE bigint");
  Prepare();
  ASSERT_EQ(Attach("t"), "");
  EXPECT_THAT(notices_, IsEmpty());
  EXPECT_EQ(Next(0), "1");
  EXPECT_EQ(Next(1), kSecond);
}

}  // namespace
}  // namespace meridian
