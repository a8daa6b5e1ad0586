// ATTACH and DETACH on real shards: what is checked, created, refused, warned of.
#include <gmock/gmock.h>

#include "tests/sharding/admin/admin_cluster.h"

namespace meridian {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class AdminAttach : public AdminCluster {
 protected:
  std::string Attach(const std::string& distribution, const std::string& table,
                     const std::string& key) {
    return Run("ALTER DISTRIBUTION " + distribution + " ATTACH TABLE " + table +
               " DISTRIBUTION KEY " + key);
  }
};

// The promise to whoever comes with one database: nothing moves, everything is where it was.
TEST_F(AdminAttach, AnExistingDatabaseIsEverythingOnOneShard) {
  On(0).Query(
      "CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL);"
      "CREATE TABLE orders (id bigserial, customer_id bigint NOT NULL REFERENCES customers,"
      " at timestamptz DEFAULT now(), PRIMARY KEY (customer_id, id));"
      "INSERT INTO customers SELECT i, 'c' || i FROM generate_series(1, 5000) i;"
      "INSERT INTO orders (customer_id) SELECT 1 + i % 5000 FROM generate_series(1, 20000) i");
  const std::string file = On(0).Value("SELECT pg_relation_filepath('orders')");
  CreateShards(1);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1)"), "");
  ASSERT_EQ(Attach("d", "customers", "id"), "");
  ASSERT_EQ(Attach("d", "orders", "customer_id"), "");
  EXPECT_TRUE(notices_.empty());
  EXPECT_EQ(Ask("SHOW KEY RANGES"), "d_1|d|MINVALUE|-|s1\n");
  EXPECT_EQ(On(0).Value("SELECT count(*) FROM orders"), "20000");
  EXPECT_EQ(On(0).Value("SELECT pg_relation_filepath('orders')"), file);
  // A second shard then gets the empty tables, foreign keys first, sequences and all.
  ASSERT_EQ(Run(CreateShardSql(1)), "");
  EXPECT_EQ(On(1).Value("SELECT count(*) FROM orders"), "0");
  EXPECT_EQ(On(1).Value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"), "1");
  EXPECT_EQ(On(1).Value("SELECT pg_get_serial_sequence('orders', 'id')"), "public.orders_id_seq");
}

TEST_F(AdminAttach, ATableOfOneShardIsCreatedOnTheOthers) {
  On(1).Query(R"(CREATE SCHEMA "Shop"; CREATE TABLE "Shop"."Order ""x""" (
      "Key" uuid PRIMARY KEY, n serial, v text COLLATE "C" DEFAULT 'a''b', g int GENERATED ALWAYS AS (1) STORED,
      CHECK (v <> ''));
      CREATE INDEX by_v ON "Shop"."Order ""x""" (lower(v));
      COMMENT ON TABLE "Shop"."Order ""x""" IS 'hello')");
  CreateShards();
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES uuid HASH"), "");
  ASSERT_EQ(Attach("d", R"("Shop"."Order ""x""")", R"("Key")"), "");
  for (int i = 0; i < kServers; ++i) {
    Connection shard = On(i);
    EXPECT_EQ(shard.Value("SELECT count(*) FROM pg_indexes WHERE schemaname = 'Shop'"), "2");
    EXPECT_EQ(shard.Value(R"(SELECT obj_description('"Shop"."Order ""x"""'::regclass))"), "hello");
    EXPECT_EQ(shard.Value("SELECT count(*) FROM pg_sequences WHERE schemaname = 'Shop'"), "1");
  }
  EXPECT_EQ(Ask("SHOW TABLES"), "Shop|Order \"x\"|sharded|d|Key\n");
}

TEST_F(AdminAttach, PartitionedTablesGoWhole) {
  On(0).Query(
      "CREATE TABLE p (id bigint NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);"
      "CREATE TABLE p_old PARTITION OF p FOR VALUES FROM (MINVALUE) TO ('2024-01-01');"
      "CREATE TABLE p_new PARTITION OF p FOR VALUES FROM ('2024-01-01') TO (MAXVALUE)");
  CreateShards(2);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "");
  EXPECT_EQ(Attach("d", "p_old", "id"), "0A000 public.p_old is a partition");
  ASSERT_EQ(Attach("d", "p", "id"), "");
  EXPECT_EQ(On(1).Value("SELECT count(*) FROM pg_partition_tree('p')"), "3");
}

TEST_F(AdminAttach, RefusesWrongDefinitions) {
  CreateShards(2);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH;"
                "CREATE DISTRIBUTION r COLUMN TYPES text SHARDS (s1);"
                "CREATE DISTRIBUTION h COLUMN TYPES text HASH"),
            "");
  EXPECT_EQ(Attach("d", "nope", "id"), "42P01 table public.nope does not exist on any shard");
  On(0).Query(
      "CREATE VIEW v AS SELECT 1::bigint AS id; CREATE TABLE i (id int NOT NULL);"
      "CREATE TABLE n (id bigint); CREATE UNLOGGED TABLE u (id bigint NOT NULL);"
      "CREATE TABLE t (k text NOT NULL, c text COLLATE \"C\" NOT NULL);"
      "CREATE COLLATION loose (provider = icu, locale = 'und', deterministic = false);"
      "CREATE TABLE l (k text COLLATE loose NOT NULL);"
      "CREATE TABLE parent (id bigint NOT NULL); CREATE TABLE child () INHERITS (parent)");
  EXPECT_EQ(Attach("d", "v", "id"), "42809 public.v is not a table");
  EXPECT_EQ(Attach("d", "i", "id"),
            "42804 key column \"id\" of public.i is of type integer, the distribution's is bigint");
  EXPECT_EQ(Attach("d", "i", "x"), "42703 column \"x\" of table public.i does not exist");
  EXPECT_EQ(Attach("d", "n", "id"), "23502 key column \"id\" of public.n allows NULL");
  EXPECT_EQ(error_.hint, "ALTER TABLE public.n ALTER COLUMN id SET NOT NULL;");
  EXPECT_THAT(Attach("d", "u", "id"), StartsWith("0A000"));
  EXPECT_THAT(Attach("d", "parent", "id"), StartsWith("0A000"));
  EXPECT_THAT(Attach("r", "t", "k"), HasSubstr("is ordered by the collation database: C.UTF-8"));
  EXPECT_EQ(Attach("r", "t", "c"), "");
  On(1).Query("CREATE COLLATION loose (provider = icu, locale = 'und', deterministic = false)");
  EXPECT_THAT(Attach("h", "l", "k"), HasSubstr("non-deterministic"));
  EXPECT_EQ(Ask("SHOW TABLES"), "public|t|sharded|r|c\n");
}

TEST_F(AdminAttach, RefusesDefinitionsThatDiffer) {
  CreateShards(2);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "");
  On(0).Query("CREATE TABLE t (id bigint NOT NULL, v text)");
  On(1).Query("CREATE TABLE t (id bigint NOT NULL, v varchar(5))");
  EXPECT_EQ(Attach("d", "t", "id"), "42P17 table public.t is not the same on all shards");
  EXPECT_THAT(error_.detail, HasSubstr("Column 2: \"v\" text"));
  EXPECT_THAT(error_.detail, HasSubstr("character varying(5)"));
}

TEST_F(AdminAttach, RefusesDatabasesOfDifferentEncodings) {
  const std::string name = QuoteIdentifier(dbname_);
  Server(1).Connect().Query("DROP DATABASE " + name);
  Server(1).Connect().Query("CREATE DATABASE " + name +
                            " ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  CreateShards(2);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES text HASH"), "");
  Everywhere("CREATE TABLE t (id text NOT NULL)");
  EXPECT_EQ(Attach("d", "t", "id"),
            "0A000 the databases of shards \"s1\" and \"s2\" have the encodings UTF8 and LATIN1");
  EXPECT_FALSE(error_.hint.empty());
}

TEST_F(AdminAttach, RefusesWhatCannotBeCreated) {
  CreateShards(2);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "");
  On(0).Query("CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (id bigint NOT NULL, m mood)");
  EXPECT_THAT(Attach("d", "t", "id"), HasSubstr("cannot create table public.t on shard \"s2\""));
  EXPECT_FALSE(error_.hint.empty());
  EXPECT_EQ(On(1).Value("SELECT count(*) FROM pg_class WHERE relname = 't'"), "0");
  On(1).Query("CREATE TYPE mood AS ENUM ('ok')");
  EXPECT_EQ(Attach("d", "t", "id"), "");
}

TEST_F(AdminAttach, WarnsOfWeakerConstraints) {
  CreateShards(2);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "");
  Everywhere(
      "CREATE TABLE other (id int PRIMARY KEY);"
      "CREATE TABLE t (a bigint NOT NULL, b int UNIQUE REFERENCES other, PRIMARY KEY (a, b))");
  ASSERT_EQ(Attach("d", "t", "a"), "");
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("\"t_b_key\" of public.t does not contain"),
                                    HasSubstr("\"t_b_fkey\" of public.t points to public.other")));
}

TEST_F(AdminAttach, RefusesRowsOnTheWrongShard) {
  CreateShards(2);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH;"
                "CREATE DISTRIBUTION all_2 COLUMN TYPES bigint HASH SHARDS (s2);"
                "CREATE DISTRIBUTION r COLUMN TYPES bigint;"
                "CREATE KEY RANGE FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION r;"
                "CREATE KEY RANGE FROM 100 ROUTE TO s2 FOR DISTRIBUTION r;"
                "CREATE DISTRIBUTION nothing COLUMN TYPES bigint"),
            "");
  Everywhere("CREATE TABLE t (id bigint NOT NULL)");
  On(0).Query("INSERT INTO t SELECT generate_series(1, 1000)");
  EXPECT_THAT(Attach("d", "t", "id"),
              testing::MatchesRegex("55000 [45].. rows of public.t on shard \"s1\" .*"));
  EXPECT_THAT(error_.hint, HasSubstr("SHARDS (s1)"));
  EXPECT_THAT(Attach("all_2", "t", "id"),
              StartsWith("55000 1000 rows of public.t on shard \"s1\""));
  EXPECT_THAT(Attach("r", "t", "id"), StartsWith("55000 901 rows of public.t on shard \"s1\""));
  EXPECT_THAT(Attach("nothing", "t", "id"), StartsWith("55000 1000 rows"));
  On(0).Query("DELETE FROM t WHERE id >= 100");
  On(1).Query("INSERT INTO t SELECT generate_series(100, 1000)");
  EXPECT_EQ(Attach("r", "t", "id"), "");
}

TEST_F(AdminAttach, AWriterIsWaitedForNotOverlooked) {
  CreateShards(2);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "");
  Everywhere("CREATE TABLE t (id bigint NOT NULL)");
  Connection writer = On(0);
  writer.Query("BEGIN; INSERT INTO t SELECT generate_series(1, 10)");
  EXPECT_THAT(Attach("d", "t", "id"), StartsWith("55P03"));
  writer.Query("COMMIT");
  EXPECT_THAT(Attach("d", "t", "id"), StartsWith("55000"));
}

TEST_F(AdminAttach, AShardThatIsDownStopsIt) {
  CreateShards(1);
  ASSERT_EQ(Run("CREATE SHARD gone OPTIONS (HOST '127.0.0.1:1');"
                "CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1)"),
            "");
  On(0).Query("CREATE TABLE t (id bigint NOT NULL)");
  EXPECT_EQ(Attach("d", "t", "id"), "08006 no node of shard \"gone\" can be reached");
}

TEST_F(AdminAttach, DetachKeepsEveryRowVisible) {
  CreateShards(2);
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "");
  Everywhere("CREATE TABLE t (id bigint NOT NULL)");
  ASSERT_EQ(Attach("d", "t", "id"), "");
  On(1).Query("INSERT INTO t VALUES (1)");
  EXPECT_EQ(Run("ALTER DISTRIBUTION d DETACH TABLE t"),
            "55000 table public.t has rows on shard \"s2\"");
  On(1).Query("DELETE FROM t");
  EXPECT_EQ(Run("ALTER DISTRIBUTION d DETACH TABLE t"), "");
  ASSERT_EQ(Attach("d", "t", "id"), "");
  Everywhere("DROP TABLE t");
  EXPECT_EQ(Run("ALTER DISTRIBUTION d DETACH TABLE t"), "");
}

TEST_F(AdminAttach, OneCommandOnShardsAtATime) {
  CreateShards(1);
  CatalogStore other(Options());
  ASSERT_TRUE(other.LockShardWork().ok());
  On(0).Query("CREATE TABLE t (id bigint NOT NULL)");
  EXPECT_THAT(Run("CREATE REFERENCE TABLE t"), StartsWith("55006"));
}

}  // namespace
}  // namespace meridian
