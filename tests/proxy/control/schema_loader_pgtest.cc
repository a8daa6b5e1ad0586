#include "proxy/control/schema_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/control/default_shard.h"
#include "sharding/sql_status.h"
#include "tests/proxy/control/control_cluster.h"

namespace meridian {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Relation::Kind;

class SchemaLoaderTest : public testing::Test {
 protected:
  static PgCluster& Server() {
    static PgCluster server;
    return server;
  }
  SchemaLoaderTest()
      : dbname_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        created_(Create()),
        sql_(Server().Connect(dbname_)),
        connection_(*PgConnection::Connect(ForReading(TargetOn(Server(), "postgres", dbname_)))) {}

  bool Create() {
    Server().Connect().Query("CREATE DATABASE " + QuoteIdentifier(dbname_));
    return true;
  }
  std::shared_ptr<const Schema> Load() {
    auto schema = loader_.Load(connection_);
    EXPECT_TRUE(schema.ok()) << schema.status();
    return schema.ok() ? *schema : nullptr;
  }

  std::string dbname_;
  bool created_;
  Connection sql_;
  PgConnection connection_;
  SchemaLoader loader_;
};

TableName T(const char* name) { return {"public", name}; }

TEST_F(SchemaLoaderTest, TablesAndColumns) {
  sql_.Query(R"sql(
    CREATE TABLE t (id bigint, gone int, "Odd Name" text, double int GENERATED ALWAYS AS (gone2 * 2) STORED, gone2 int,
                    ident int GENERATED ALWAYS AS IDENTITY, short varchar(7));
    ALTER TABLE t DROP COLUMN gone;
    CREATE UNIQUE INDEX t_index ON t (id);
    CREATE TYPE pair AS (a int, b int);
    CREATE SCHEMA "Other"; CREATE MATERIALIZED VIEW "Other".m AS SELECT id FROM t;
    CREATE TEMP TABLE hidden (a int))sql");
  const auto schema = Load();
  const Relation* t = schema->Find("public", "t");
  ASSERT_NE(t, nullptr);
  EXPECT_EQ(t->kind, Kind::kTable);
  EXPECT_THAT(t->columns,
              ElementsAre(Column{"id", 20, -1, false}, Column{"Odd Name", 25, -1, false},
                          Column{"double", 23, -1, true, Column::Default::kImmutable},
                          Column{"gone2", 23, -1, false},
                          Column{"ident", 23, -1, false, Column::Default::kSequence},
                          Column{"short", 1043, 7 + 4, false}));
  const Relation* m = schema->Find("Other", "m");
  ASSERT_NE(m, nullptr);
  EXPECT_EQ(m->kind, Kind::kMaterializedView);
  EXPECT_THAT(m->reads, ElementsAre(T("t")));
  EXPECT_EQ(schema->Find("public", "t_ident_seq")->kind, Kind::kSequence);
  EXPECT_TRUE(schema->Find("public", "t_ident_seq")->differs_on_replica);
  EXPECT_FALSE(t->differs_on_replica || m->differs_on_replica);
  // They stand in the way of tables of the same name further on in the search path.
  EXPECT_EQ(schema->Find("public", "t_index")->kind, Kind::kOther);
  EXPECT_THAT(schema->Find("public", "pair")->columns, IsEmpty());
  EXPECT_EQ(schema->Find("pg_catalog", "pg_class")->kind, Kind::kTable);
  EXPECT_FALSE(schema->Find("pg_catalog", "pg_class")->columns.empty());
  EXPECT_EQ(schema->Find("information_schema", "tables")->kind, Kind::kView);
  EXPECT_EQ(schema->Resolve({"public"}, "hidden"), nullptr);
}

TEST_F(SchemaLoaderTest, Defaults) {
  sql_.Query(R"sql(
    CREATE TABLE d (none int, one int DEFAULT 1 + 1, cut text DEFAULT upper('a'), serial serial,
                    at timestamptz DEFAULT now(), day date DEFAULT CURRENT_DATE,
                    chance uuid DEFAULT gen_random_uuid()))sql");
  const auto schema = Load();
  std::vector<Column::Default> defaults;
  for (const Column& column : schema->Find("public", "d")->columns) {
    defaults.push_back(column.default_value);
  }
  using Default = Column::Default;
  EXPECT_THAT(defaults, ElementsAre(Default::kNone, Default::kImmutable, Default::kImmutable,
                                    Default::kSequence, Default::kVarying, Default::kVarying,
                                    Default::kVarying));
}

// What ATTACH TABLE does to sequences (sharding/admin/shard_sequences.h).
TEST_F(SchemaLoaderTest, DividedSequences) {
  sql_.Query(R"sql(
    CREATE SEQUENCE "Own";
    CREATE TABLE s (a bigserial, b bigint GENERATED ALWAYS AS IDENTITY, c bigint DEFAULT nextval('"Own"'),
                    d bigint DEFAULT nextval('"Own"') % 10, e bigint DEFAULT nextval('"Ow' || 'n"'),
                    f integer DEFAULT nextval('"Own"')))sql");
  const auto defaults = [&] {
    std::vector<Column::Default> all;
    for (const Column& column : Load()->Find("public", "s")->columns) {
      all.push_back(column.default_value);
    }
    return all;
  };
  using Default = Column::Default;
  EXPECT_THAT(defaults(), Each(Default::kSequence));
  for (const std::string name : {"s_a_seq", "s_b_seq", "\"Own\""}) {
    sql_.Query("ALTER SEQUENCE " + name + " MAXVALUE 281474976710655");
  }
  EXPECT_THAT(defaults(), ElementsAre(Default::kDividedSequence, Default::kDividedSequence,
                                      Default::kDividedSequence, Default::kSequence,
                                      Default::kSequence, Default::kSequence));
  sql_.Query(
      "ALTER SEQUENCE s_a_seq MAXVALUE 281474976710656; ALTER SEQUENCE s_b_seq CYCLE;"
      "ALTER SEQUENCE \"Own\" NO MAXVALUE");
  EXPECT_THAT(defaults(), Each(Default::kSequence));
}

TEST_F(SchemaLoaderTest, ViewsOfViews) {
  sql_.Query(R"sql(
    CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE SEQUENCE s;
    CREATE VIEW v1 AS SELECT id FROM a WHERE EXISTS (SELECT FROM b WHERE b.id = a.id);
    CREATE VIEW v2 AS WITH c AS (SELECT * FROM v1) SELECT * FROM c;
    CREATE MATERIALIZED VIEW m AS SELECT id FROM b;
    CREATE VIEW v3 AS SELECT v2.id FROM v2 JOIN m USING (id);
    CREATE VIEW empty AS SELECT 1 AS one)sql");
  const auto schema = Load();
  EXPECT_THAT(schema->Find("public", "v2")->reads, ElementsAre(T("a"), T("b")));
  EXPECT_THAT(schema->Find("public", "v3")->reads, ElementsAre(T("a"), T("b"), T("m")));
  EXPECT_THAT(schema->Find("public", "empty")->reads, IsEmpty());
  EXPECT_FALSE(schema->Find("public", "v3")->has_opaque_functions);
}

TEST_F(SchemaLoaderTest, OpaqueViews) {
  sql_.Query(R"sql(
    CREATE TABLE a (id int, d date);
    CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE FUNCTION eq(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
    CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = eq);
    CREATE DOMAIN positive AS int CHECK (value > 0);
    CREATE SEQUENCE s;
    CREATE VIEW plain AS SELECT upper('x'), sum(id), max(now()), count(*) FROM a WHERE id + 1 > 2;
    CREATE VIEW words AS SELECT ':funcid 1598 random()'::text AS ":funcid 1598";
    CREATE VIEW volatile AS SELECT id FROM a WHERE id > random();
    CREATE VIEW sequence AS SELECT nextval('s');
    CREATE VIEW user_function AS SELECT f(id) FROM a;
    CREATE VIEW user_operator AS SELECT id FROM a WHERE id === 1;
    CREATE VIEW in_domain AS SELECT id::positive FROM a;
    CREATE VIEW locking AS SELECT id FROM a FOR UPDATE;
    CREATE VIEW above AS SELECT * FROM volatile;
    CREATE MATERIALIZED VIEW stored AS SELECT * FROM volatile;
    CREATE VIEW over_stored AS SELECT * FROM stored;
    CREATE VIEW settings AS SELECT name FROM pg_settings)sql");
  const auto schema = Load();
  const auto opaque = [&](const char* name) {
    return schema->Find("public", name)->has_opaque_functions;
  };
  EXPECT_FALSE(opaque("plain"));
  EXPECT_FALSE(opaque("words"));
  EXPECT_TRUE(opaque("volatile"));
  EXPECT_TRUE(opaque("sequence"));
  EXPECT_TRUE(opaque("user_function"));
  EXPECT_TRUE(opaque("user_operator"));
  EXPECT_TRUE(opaque("in_domain"));
  EXPECT_TRUE(opaque("locking"));
  EXPECT_TRUE(opaque("above"));
  EXPECT_FALSE(opaque("over_stored"));
  EXPECT_FALSE(opaque("settings"));
  EXPECT_FALSE(schema->Find("pg_catalog", "pg_settings")->has_opaque_functions);
  EXPECT_FALSE(schema->Find("information_schema", "columns")->has_opaque_functions);
  EXPECT_FALSE(schema->Find("pg_catalog", "pg_tables")->has_opaque_functions);
}

TEST_F(SchemaLoaderTest, PartitionsAndHeirs) {
  sql_.Query(R"sql(
    CREATE TABLE root (id int, day date) PARTITION BY RANGE (id);
    CREATE TABLE middle PARTITION OF root FOR VALUES FROM (0) TO (10) PARTITION BY LIST (day);
    CREATE TABLE leaf PARTITION OF middle DEFAULT;
    CREATE INDEX root_index ON root (id);
    CREATE TABLE parent (id int); CREATE TABLE heir () INHERITS (parent))sql");
  const auto schema = Load();
  EXPECT_EQ(schema->Find("public", "root")->kind, Kind::kTable);
  EXPECT_THAT(schema->Find("public", "root")->ancestors, IsEmpty());
  EXPECT_THAT(schema->Find("public", "leaf")->ancestors, ElementsAre(T("middle"), T("root")));
  EXPECT_THAT(schema->Find("public", "heir")->ancestors, ElementsAre(T("parent")));
}

TEST_F(SchemaLoaderTest, Functions) {
  sql_.Query(R"sql(
    CREATE FUNCTION mixed(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE FUNCTION mixed(text) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
    CREATE FUNCTION many() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT 1';
    CREATE PROCEDURE proc() LANGUAGE sql AS '';
    CREATE FUNCTION wild(int, int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
    CREATE AGGREGATE wild_sum(int) (sfunc = wild, stype = int, initcond = '0');
    CREATE OPERATOR #+# (LEFTARG = int, RIGHTARG = int, FUNCTION = wild))sql");
  const auto schema = Load();
  EXPECT_EQ(schema->FindFunction("public", "mixed")->volatility, Volatility::kStable);
  EXPECT_TRUE(schema->FindFunction("public", "many")->set_returning);
  EXPECT_EQ(schema->FindFunction("public", "proc")->volatility, Volatility::kVolatile);
  EXPECT_TRUE(schema->FindFunction("public", "wild_sum")->aggregate);
  EXPECT_EQ(schema->FindFunction("public", "wild_sum")->volatility, Volatility::kVolatile);
  EXPECT_EQ(schema->FindFunction("public", "#+#")->volatility, Volatility::kVolatile);
  EXPECT_TRUE(schema->HasUserFunction("#+#"));
  EXPECT_EQ(schema->FindFunction("", "now")->volatility, Volatility::kStable);
  EXPECT_EQ(schema->FindFunction("", "random")->volatility, Volatility::kVolatile);
  EXPECT_EQ(schema->FindFunction("", "abs")->volatility, Volatility::kImmutable);
  EXPECT_TRUE(schema->FindFunction("", "count")->aggregate);
  EXPECT_EQ(schema->FindFunction("", "count")->volatility, Volatility::kImmutable);
  EXPECT_TRUE(schema->FindFunction("", "row_number")->window);
  EXPECT_TRUE(schema->FindFunction("", "generate_series")->set_returning);
  EXPECT_FALSE(schema->HasUserFunction("now"));
}

TEST_F(SchemaLoaderTest, ComparisonsOfKeys) {
  sql_.Query(R"sql(
    CREATE TYPE pair AS (a int, b int);
    CREATE FUNCTION same(varchar, varchar) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE FUNCTION less(pair, pair) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same);
    CREATE OPERATOR < (LEFTARG = pair, RIGHTARG = pair, FUNCTION = less);
    CREATE OPERATOR === (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same))sql");
  const auto schema = Load();
  EXPECT_TRUE(schema->HasUserComparison("="));
  EXPECT_TRUE(schema->HasUserFunction("<"));
  EXPECT_FALSE(schema->HasUserComparison("<"));
  EXPECT_FALSE(schema->HasUserComparison("==="));
  EXPECT_FALSE(schema->HasUserComparison(">="));
}

TEST_F(SchemaLoaderTest, TheVersionGrowsWithChangesOnly) {
  sql_.Query("CREATE TABLE t (id int)");
  const auto first = Load();
  EXPECT_EQ(first->version(), 1u);
  EXPECT_EQ(Load(), first);

  // None of these is a change for the planner, though most touch the system catalogs.
  sql_.Query("INSERT INTO t SELECT generate_series(1, 1000)");
  sql_.Query("VACUUM ANALYZE t");
  sql_.Query("TRUNCATE t");
  sql_.Query("GRANT SELECT ON t TO PUBLIC");
  sql_.Query("CREATE TEMP TABLE x (a int)");
  EXPECT_EQ(Load(), first);

  uint64_t version = first->version();
  for (const char* ddl :
       {"ALTER TABLE t ADD COLUMN a int", "ALTER TABLE t RENAME COLUMN a TO b",
        "ALTER TABLE t ALTER COLUMN b TYPE bigint", "ALTER TABLE t DROP COLUMN b",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT id FROM t WHERE random() > 2",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "ALTER FUNCTION f() STABLE",
        "CREATE TABLE heir (id int)", "ALTER TABLE heir INHERIT t", "ALTER TABLE heir NO INHERIT t",
        "ALTER SCHEMA public RENAME TO renamed", "DROP TABLE renamed.heir"}) {
    sql_.Query(ddl);
    EXPECT_EQ(Load()->version(), ++version) << ddl;
  }
}

TEST_F(SchemaLoaderTest, ANewerServerIsAChange) {
  auto schema = loader_.Load(connection_, 150004);
  EXPECT_EQ((*schema)->server_version_num(), 150004);
  EXPECT_EQ(loader_.Load(connection_, 150004).value(), *schema);
  schema = loader_.Load(connection_, 160001);
  EXPECT_EQ((*schema)->server_version_num(), 160001);
  EXPECT_EQ((*schema)->version(), 2u);
}

TEST_F(SchemaLoaderTest, ARolledBackChangeIsNone) {
  const auto first = Load();
  sql_.Query("BEGIN");
  sql_.Query("CREATE TABLE t (id int)");
  EXPECT_EQ(Load(), first);
  sql_.Query("ROLLBACK");
  EXPECT_EQ(Load(), first);
}

TEST_F(SchemaLoaderTest, NamesThatClientsMakeUpDoNotChangeTheQueries) {
  // Objects in public that hide operators and functions of pg_catalog from a careless query.
  sql_.Query(R"sql(
    CREATE FUNCTION no(text, text) RETURNS bool LANGUAGE sql AS 'SELECT false';
    CREATE OPERATOR !~ (LEFTARG = text, RIGHTARG = text, FUNCTION = no);
    CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = no);
    CREATE FUNCTION count(int) RETURNS int LANGUAGE sql AS 'SELECT 0';
    ALTER ROLE postgres SET search_path = public, pg_catalog;
    CREATE TABLE pg_class (fake int))sql");
  auto connection = PgConnection::Connect(ForReading(TargetOn(Server(), "postgres", dbname_)));
  ASSERT_TRUE(connection.ok());
  auto schema = loader_.Load(*connection);
  sql_.Query("ALTER ROLE postgres RESET search_path");
  ASSERT_TRUE(schema.ok()) << schema.status();
  EXPECT_NE((*schema)->Find("public", "pg_class"), nullptr);
  EXPECT_NE((*schema)->Find("pg_catalog", "pg_class"), nullptr);
}

TEST_F(SchemaLoaderTest, ALostConnectionIsAnError) {
  ASSERT_NE(Load(), nullptr);
  sql_.Query("SELECT pg_terminate_backend($1)", {std::to_string(connection_.backend_pid())});
  EXPECT_TRUE(IsConnectionLoss(loader_.Load(connection_).status()));
}

}  // namespace
}  // namespace meridian
