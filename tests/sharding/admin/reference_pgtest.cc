// Reference tables on real shards.
#include <gmock/gmock.h>

#include "tests/sharding/admin/admin_cluster.h"

namespace meridian {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class AdminReference : public AdminCluster {
 protected:
  std::string Count(int server) { return On(server).Value("SELECT count(*) FROM r"); }
};

TEST_F(AdminReference, RowsOfOneShardAreCopiedToAll) {
  On(0).Query(
      "CREATE TABLE r (id int PRIMARY KEY, v text, twice int GENERATED ALWAYS AS (id * 2) STORED);"
      "INSERT INTO r SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE E'a\\tb\\\\N' || i END "
      "FROM generate_series(1, 3000) i");
  CreateShards();
  ASSERT_EQ(Run("CREATE REFERENCE TABLE r"), "");
  const std::string digest = "SELECT md5(string_agg(r::text, ',' ORDER BY id)) FROM r";
  for (int i = 1; i < kServers; ++i) {
    EXPECT_EQ(On(i).Value(digest), On(0).Value(digest));
    EXPECT_EQ(On(i).Value("SELECT count(*) FROM pg_prepared_xacts"), "0");
  }
  EXPECT_EQ(Ask("SHOW TABLES"), "public|r|reference|-|-\n");
  EXPECT_EQ(Run("DROP REFERENCE TABLE r"), "");
  EXPECT_THAT(notices_, testing::ElementsAre(HasSubstr("local table of shard \"s1\"")));
  EXPECT_EQ(Run("CREATE REFERENCE TABLE r"), "");  // all alike: nothing to copy
}

TEST_F(AdminReference, DifferentRowsAreRefused) {
  CreateShards(2);
  Everywhere("CREATE TABLE r (id int PRIMARY KEY)");
  On(0).Query("INSERT INTO r VALUES (1), (2)");
  On(1).Query("INSERT INTO r VALUES (1), (3)");
  EXPECT_EQ(Run("CREATE REFERENCE TABLE r"),
            "55000 the rows of public.r differ between the shards");
  EXPECT_EQ(error_.detail, "Rows: 2 on \"s1\", 2 on \"s2\".");
  On(0).Query("TRUNCATE r");
  EXPECT_EQ(Run("CREATE REFERENCE TABLE r"), "");
  EXPECT_EQ(Count(0), "2");
}

// A copy that fails on one shard leaves rows on none.
TEST_F(AdminReference, AllOrNone) {
  CreateShards();
  Everywhere("CREATE TABLE r (id int)");
  On(0).Query("INSERT INTO r SELECT generate_series(1, 100)");
  On(2).Query("ALTER TABLE r ADD CHECK (id < 50)");
  EXPECT_THAT(Run("CREATE REFERENCE TABLE r"), StartsWith("23514"));
  EXPECT_EQ(Count(1) + Count(2), "00");
  On(2).Query("ALTER TABLE r DROP CONSTRAINT r_id_check");
  On(2).Query(
      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.id := 7; RETURN NEW; "
      "END$$;"
      "CREATE TRIGGER f BEFORE INSERT ON r FOR EACH ROW EXECUTE FUNCTION f()");
  EXPECT_THAT(Run("CREATE REFERENCE TABLE r"), HasSubstr("differs from the original"));
  EXPECT_EQ(Count(1) + Count(2), "00");
  EXPECT_EQ(Ask("SHOW TABLES"), "");
}

TEST_F(AdminReference, WhatACrashLeftBehindIsSwept) {
  CreateShards();
  Everywhere("CREATE TABLE r (id int)");
  On(0).Query("INSERT INTO r VALUES (1)");
  On(1).Query("BEGIN; INSERT INTO r VALUES (9); PREPARE TRANSACTION 'meridian_reference_left'");
  On(1).Query("BEGIN; PREPARE TRANSACTION 'somebody_else'");
  EXPECT_EQ(Run("CREATE REFERENCE TABLE r"), "");
  EXPECT_EQ(On(1).Value("SELECT string_agg(gid, ',') FROM pg_prepared_xacts"), "somebody_else");
  EXPECT_EQ(On(1).Value("SELECT sum(id) FROM r"), "1");
  On(1).Query("ROLLBACK PREPARED 'somebody_else'");
}

TEST_F(AdminReference, ANewShardGetsTheRows) {
  CreateShards(1);
  On(0).Query(
      "CREATE TABLE z_parent (id int PRIMARY KEY); INSERT INTO z_parent VALUES (1), (2);"
      "CREATE TABLE a_child (id int PRIMARY KEY, p int REFERENCES z_parent);"
      "INSERT INTO a_child VALUES (10, 1);"
      "CREATE TABLE t (id bigint NOT NULL); INSERT INTO t VALUES (5)");
  ASSERT_EQ(Run("CREATE REFERENCE TABLE z_parent; CREATE REFERENCE TABLE a_child;"
                "CREATE DISTRIBUTION d COLUMN TYPES bigint SHARDS (s1);"
                "ALTER DISTRIBUTION d ATTACH TABLE t DISTRIBUTION KEY id"),
            "");
  ASSERT_EQ(Run(CreateShardSql(1)), "");
  EXPECT_EQ(On(1).Value("SELECT count(*) FROM z_parent"), "2");
  EXPECT_EQ(On(1).Value("SELECT p FROM a_child"), "1");
  EXPECT_EQ(On(1).Value("SELECT count(*) FROM t"), "0");
  // A shard with rows of its own would show them.
  On(2).Query("CREATE TABLE t (id bigint NOT NULL); INSERT INTO t VALUES (1)");
  EXPECT_THAT(Run(CreateShardSql(2)), StartsWith("55000 1 row of public.t on shard \"s3\""));
  EXPECT_EQ(Ask("SHOW SHARDS WHERE shard = 's3'"), "");
}

}  // namespace
}  // namespace meridian
