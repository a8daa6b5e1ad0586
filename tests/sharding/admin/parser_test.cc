// What the admin language accepts, and what it makes of it.
#include "sharding/admin/parser.h"

#include <gtest/gtest.h>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

template <typename T>
T Parse(std::string_view text) {
  auto statements = ParseAdmin(text);
  EXPECT_TRUE(statements.ok()) << text << ": " << statements.status();
  if (!statements.ok() || statements->size() != 1) {
    ADD_FAILURE() << text << ": not one statement";
    return {};
  }
  const T* command = std::get_if<T>(&statements->front().command);
  EXPECT_NE(command, nullptr) << text << ": another command";
  return command == nullptr ? T{} : *command;
}

TEST(AdminParser, CreatesShards) {
  const auto one = Parse<CreateShard>("create shard S1 options (host 'db1:5432')");
  EXPECT_EQ(one.name, "s1");
  EXPECT_EQ(one.nodes, (std::vector<NodeAddress>{{"db1", 5432}}));
  EXPECT_EQ(one.dbname, "");
  const auto two = Parse<CreateShard>(
      "CREATE SHARD \"S 2\" OPTIONS (HOST '/run/pg:5433', HOST '[::1]:6000', DBNAME 'it''s');");
  EXPECT_EQ(two.name, "S 2");
  EXPECT_EQ(two.nodes, (std::vector<NodeAddress>{{"/run/pg", 5433}, {"::1", 6000}}));
  EXPECT_EQ(two.dbname, "it's");
}

TEST(AdminParser, AltersAndDropsShards) {
  EXPECT_EQ(Parse<AlterShard>("ALTER SHARD s ADD HOST 'h'").action, AlterShard::Action::kAddHost);
  const auto drop = Parse<AlterShard>("ALTER SHARD s DROP HOST 'h:1'");
  EXPECT_EQ(drop.action, AlterShard::Action::kDropHost);
  EXPECT_EQ(drop.node, (NodeAddress{"h", 1}));
  EXPECT_EQ(Parse<DropShard>("drop shard options").name, "options");
}

TEST(AdminParser, CreatesDistributions) {
  const auto d = Parse<CreateDistribution>(
      "CREATE DISTRIBUTION d COLUMN TYPES bigint HASH, character varying, timestamp with time zone "
      "HASH SHARDS (a, \"B\")");
  EXPECT_EQ(d.columns,
            (std::vector<KeyColumn>{
                {KeyType::kBigint, true}, {KeyType::kText, false}, {KeyType::kTimestamptz, true}}));
  EXPECT_EQ(d.shards, (std::vector<std::string>{"a", "B"}));
  EXPECT_TRUE(
      Parse<CreateDistribution>("CREATE DISTRIBUTION d COLUMN TYPES numeric").shards.empty());
}

TEST(AdminParser, ReadsBounds) {
  const auto range = Parse<CreateKeyRange>(
      "CREATE KEY RANGE r FROM -5, 'a', MINVALUE ROUTE TO s FOR DISTRIBUTION d");
  ASSERT_EQ(range.from.size(), 3u);
  EXPECT_EQ(range.from[0]->text, "-5");
  EXPECT_FALSE(range.from[0]->quoted);
  EXPECT_EQ(range.from[1]->text, "a");
  EXPECT_TRUE(range.from[1]->quoted);
  EXPECT_FALSE(range.from[2].has_value());
  EXPECT_FALSE(
      Parse<CreateKeyRange>("CREATE KEY RANGE FROM MINVALUE ROUTE TO s FOR DISTRIBUTION d").name);
  const auto split = Parse<SplitKeyRange>("SPLIT KEY RANGE b FROM a BY +1.5e3");
  EXPECT_EQ(split.by[0]->text, "1.5e3");
  EXPECT_EQ(split.by[0]->position, 29);
  const auto unite = Parse<UniteKeyRanges>("UNITE KEY RANGE a WITH b");
  EXPECT_EQ(unite.kept + unite.gone, "ab");
}

TEST(AdminParser, NamesTables) {
  const auto attach =
      Parse<AttachTable>("ALTER DISTRIBUTION d ATTACH TABLE Shop.\"Orders\" DISTRIBUTION KEY a, B");
  EXPECT_EQ(attach.table, (TableName{"shop", "Orders"}));
  EXPECT_EQ(attach.key_columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Parse<DetachTable>("ALTER DISTRIBUTION d DETACH TABLE t").table,
            (TableName{"public", "t"}));
  EXPECT_EQ(Parse<CreateReferenceTable>("CREATE REFERENCE TABLE x.t").table, (TableName{"x", "t"}));
  EXPECT_EQ(Parse<DropReferenceTable>("DROP REFERENCE TABLE t").table, (TableName{"public", "t"}));
}

TEST(AdminParser, ShowsWithFilters) {
  EXPECT_EQ(Parse<Show>("show key ranges").subject, ShowSubject::kKeyRanges);
  const auto show = Parse<Show>("SHOW TABLES WHERE kind = 'sharded' AND n = -7 AND b = TRUE;");
  ASSERT_EQ(show.filters.size(), 3u);
  EXPECT_EQ(show.filters[0].column, "kind");
  EXPECT_EQ(show.filters[0].value, "sharded");
  EXPECT_EQ(show.filters[0].position, 19);
  EXPECT_EQ(show.filters[1].value, "-7");
  EXPECT_EQ(show.filters[2].value, "true");
}

TEST(AdminParser, ControlsTheProxy) {
  EXPECT_EQ(Parse<KillClient>("KILL CLIENT 42").id, 42u);
  EXPECT_FALSE(Parse<Pause>("PAUSE").shard);
  EXPECT_EQ(Parse<Pause>("PAUSE SHARD s1").shard, "s1");
  EXPECT_EQ(Parse<Resume>("RESUME SHARD s1").shard, "s1");
  Parse<Reload>("RELOAD");
  Parse<Shutdown>("shutdown");
  EXPECT_EQ(Parse<Help>("HELP").command, "");
  EXPECT_EQ(Parse<Help>("help create   shard").command, "CREATE SHARD");
}

TEST(AdminParser, TakesTheStatementOfExplainRouteAsItIs) {
  EXPECT_EQ(
      Parse<ExplainRoute>("EXPLAIN ROUTE  SELECT ';' , $1, 0x1F /* ; */ FROM \"t;\" ; ").statement,
      "SELECT ';' , $1, 0x1F /* ; */ FROM \"t;\"");
}

TEST(AdminParser, SplitsStatementsAndKeepsTheirText) {
  const auto statements = ParseAdmin("; drop shard a -- x ;\n;; /* ; /* nested ; */ */ RELOAD;--");
  ASSERT_TRUE(statements.ok());
  ASSERT_EQ(statements->size(), 2u);
  EXPECT_EQ((*statements)[0].text, "drop shard a");
  EXPECT_EQ((*statements)[1].text, "RELOAD");
  for (const char* empty : {"", ";", " \n;;-- x", "/* */"}) EXPECT_TRUE(ParseAdmin(empty)->empty());
}

TEST(AdminParser, ReadsStringsAsPostgresDoes) {
  const auto dbname = [](std::string_view literal) {
    return Parse<CreateShard>("CREATE SHARD s OPTIONS (HOST 'h', DBNAME " + std::string(literal) +
                              ")")
        .dbname;
  };
  EXPECT_EQ(dbname("'a''b\\n'"), "a'b\\n");
  EXPECT_EQ(dbname("E'a\\'b\\n\\x41\\101\\u00e4\\\\'"), "a'b\nAA\xc3\xa4\\");
  EXPECT_EQ(dbname("e'\\U0001F600\\ud83d\\ude00'"), "\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
  EXPECT_EQ(dbname("$$it's$$"), "it's");
  EXPECT_EQ(dbname("$q$ $$ $q$"), " $$ ");
  EXPECT_EQ(dbname("'a' -- c\n 'b'"), "ab");
  EXPECT_EQ(Parse<DropShard>("DROP SHARD \"a\"\"B\"").name, "a\"B");
  EXPECT_EQ(Parse<DropShard>("DROP SHARD \xc3\x84"
                             "bc$1")
                .name,
            "\xc3\x84"
            "bc$1");
}

// Everything that psql, libpq, JDBC, psycopg, asyncpg, node-postgres and pgx send by themselves.
TEST(AdminParser, AcceptsWhatDriversSend) {
  using Kind = SessionStatement::Kind;
  const auto kind = [](std::string_view text) { return Parse<SessionStatement>(text).kind; };
  EXPECT_EQ(kind("SET extra_float_digits = 3"), Kind::kSet);
  EXPECT_EQ(Parse<SessionStatement>("SET application_name = 'PostgreSQL JDBC Driver'").value,
            "PostgreSQL JDBC Driver");
  EXPECT_EQ(Parse<SessionStatement>("SET DateStyle TO ISO, MDY").value, "ISO, MDY");
  EXPECT_EQ(Parse<SessionStatement>("set names 'utf8'").name, "client_encoding");
  EXPECT_EQ(Parse<SessionStatement>("SET TIME ZONE 'UTC'").name, "timezone");
  EXPECT_EQ(Parse<SessionStatement>("SET LOCAL meridian.shard = 's1'").name, "meridian.shard");
  EXPECT_EQ(kind("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED"),
            Kind::kSet);
  EXPECT_EQ(kind("SET TRANSACTION READ ONLY"), Kind::kSet);
  EXPECT_EQ(kind("RESET ALL"), Kind::kReset);
  EXPECT_EQ(kind("BEGIN READ ONLY"), Kind::kBegin);
  EXPECT_EQ(kind("START TRANSACTION"), Kind::kBegin);
  EXPECT_EQ(kind("COMMIT"), Kind::kCommit);
  EXPECT_EQ(kind("END"), Kind::kCommit);
  EXPECT_EQ(kind("ROLLBACK"), Kind::kRollback);
  EXPECT_EQ(kind("ABORT"), Kind::kRollback);
  EXPECT_EQ(kind("DISCARD ALL"), Kind::kDiscard);
  EXPECT_EQ(kind("DEALLOCATE ALL"), Kind::kDeallocate);
  EXPECT_EQ(kind("CLOSE ALL"), Kind::kCloseAll);
  EXPECT_EQ(kind("UNLISTEN *"), Kind::kUnlisten);
  EXPECT_EQ(Parse<SessionStatement>("SHOW server_version").name, "server_version");
  EXPECT_EQ(Parse<SessionStatement>("SHOW TRANSACTION ISOLATION LEVEL").name,
            "transaction_isolation");
  EXPECT_EQ(Parse<SessionStatement>("show transaction_isolation").name, "transaction_isolation");
  EXPECT_EQ(Parse<SessionStatement>("SELECT 1").name, "1");
  EXPECT_EQ(Parse<SessionStatement>("select pg_catalog.version()").name, "version");
  EXPECT_EQ(Parse<SessionStatement>("SELECT current_schema()").name, "current_schema");
  EXPECT_EQ(Parse<SessionStatement>("SELECT pg_advisory_unlock_all()").name,
            "pg_advisory_unlock_all");
  EXPECT_EQ(
      ParseAdmin("SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;")->size(),
      4u);
}

}  // namespace
}  // namespace meridian
