// Answers that need nothing but the map or the session: SHOW, HELP, what drivers ask.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sharding/admin/parser.h"
#include "sharding/admin/session_statement.h"
#include "sharding/admin/show_map.h"
#include "sharding/admin/syntax.h"
#include "sharding/catalog/map_draft.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

std::shared_ptr<const ShardMap> TestMap() {
  MapDraft draft;
  draft.shards = {{"s1", {{"a", 1}, {"b", 2}}, ""}, {"s2", {{"c", 3}}, "db"}};
  draft.distributions = {{"d",
                          {{KeyType::kText, false}, {KeyType::kBigint, true}},
                          {{"low", {}, "s2"}, {"high", KeyBound{{KeyValue("it's")}}, "s1"}}},
                         {"e", {{KeyType::kUuid, true}}, {}}};
  draft.tables = {{{"public", "t"}, MappedTable::Kind::kSharded, "d", {"a", "B"}},
                  {{"shop", "r"}, MappedTable::Kind::kReference, "", {}}};
  return *BuildMap(Epoch{7}, draft);
}

// Rows as text, values by '|', NULL as "-".
std::string Ask(std::string_view text) {
  auto statements = ParseAdmin(text);
  EXPECT_TRUE(statements.ok()) << text;
  auto result = AnswerFromMap(statements->front().command, *TestMap(), "Meridian 1.0");
  if (!result.ok()) {
    const SqlError error = ToSqlError(result.status());
    return error.sqlstate + " " + error.message + " @" + std::to_string(error.position);
  }
  std::string answer;
  for (const AdminRow& row : result->table.rows) {
    EXPECT_EQ(row.size(), result->table.columns.size());
    for (size_t i = 0; i < row.size(); ++i) answer += (i > 0 ? "|" : "") + row[i].value_or("-");
    answer += "\n";
  }
  return answer;
}

TEST(AdminShow, ShowsTheMap) {
  EXPECT_EQ(Ask("SHOW SHARDS"), "s1|a:1, b:2|-|t|1\ns2|c:3|db|f|1\n");
  EXPECT_EQ(Ask("SHOW DISTRIBUTIONS"), "d|text, bigint HASH|2|1|s1, s2\ne|uuid HASH|0|0|\n");
  EXPECT_EQ(Ask("SHOW KEY RANGES"), "low|d|MINVALUE|'it''s'|s2\nhigh|d|'it''s'|-|s1\n");
  EXPECT_EQ(Ask("SHOW TABLES"), "public|t|sharded|d|a, B\nshop|r|reference|-|-\n");
  EXPECT_EQ(Ask("SHOW EPOCH"), "7\n");
  EXPECT_EQ(Ask("SHOW VERSION"), "Meridian 1.0\n");
}

TEST(AdminShow, Filters) {
  EXPECT_EQ(Ask("SHOW SHARDS WHERE is_default = TRUE"), "s1|a:1, b:2|-|t|1\n");
  EXPECT_EQ(Ask("SHOW SHARDS WHERE is_default = 'no' AND key_ranges = 01"), "s2|c:3|db|f|1\n");
  EXPECT_EQ(Ask("SHOW SHARDS WHERE dbname = ''"), "");  // NULL equals nothing
  EXPECT_EQ(Ask("SHOW TABLES WHERE kind = 'reference'"), "shop|r|reference|-|-\n");
  EXPECT_EQ(Ask("SHOW EPOCH WHERE epoch = 'x'"),
            "22P02 invalid input syntax for type bigint: \"x\" @18");
  EXPECT_EQ(Ask("SHOW TABLES WHERE nope = 1"), "42703 column \"nope\" does not exist @19");
}

TEST(AdminShow, ColumnsAreKnownBeforehand) {
  for (const SubjectName& subject : ShowSubjects()) {
    const Command command = Show{subject.subject, {}};
    const auto columns = MapColumns(subject.subject);
    EXPECT_EQ(columns.has_value(), RoomOf(command) == CommandRoom::kMap) << subject.name;
    if (!columns) continue;
    auto result = AnswerFromMap(command, *TestMap(), "v");
    ASSERT_TRUE(result.ok()) << subject.name;
    EXPECT_EQ(result->table.columns, *columns) << subject.name;
    EXPECT_EQ(result->tag, "SHOW");
  }
}

TEST(AdminHelp, ListsAndExplains) {
  EXPECT_EQ(Ask("HELP DROP SHARD"),
            "DROP SHARD|DROP SHARD name|Forgets a shard that owns no key range.\n");
  EXPECT_THAT(Ask("help create"), testing::HasSubstr("\nCREATE KEY RANGE|"));
  EXPECT_EQ(Ask("HELP"), Ask("SHOW HELP"));
  EXPECT_EQ(Ask("HELP CREA"), "42704 there is no command \"CREA\" @0");
}

TEST(AdminHelp, EveryCommandSyntaxStartsWithItsName) {
  for (const CommandSyntax& command : CommandTable()) {
    EXPECT_TRUE(command.syntax.starts_with(command.name)) << command.name;
    EXPECT_EQ(FindCommand(command.name), &command);
  }
  EXPECT_EQ(FindCommand("NOPE"), nullptr);
  for (const SubjectName& subject : ShowSubjects()) {
    EXPECT_THAT(std::string(FindCommand("SHOW")->syntax),
                testing::HasSubstr(std::string(subject.name)));
    EXPECT_EQ(NameOf(subject.subject), subject.name);
  }
}

AdminSessionFacts Facts() {
  AdminSessionFacts facts{"PostgreSQL 15 (Meridian)", "admin", "meridian", {}};
  facts.parameters["server_version"] = "15.4";
  facts.parameters["timezone"] = "UTC";
  return facts;
}

absl::StatusOr<AdminResult> Tell(std::string_view text) {
  return AnswerSession(std::get<SessionStatement>(ParseAdmin(text)->front().command), Facts());
}

TEST(AdminSession, AnswersWhatDriversAsk) {
  auto one = Tell("SELECT 1");
  EXPECT_EQ(one->table.columns, (std::vector<AdminColumn>{{"?column?", type_oid::kInt4}}));
  EXPECT_EQ(one->table.rows, (std::vector<AdminRow>{{"1"}}));
  EXPECT_EQ(one->tag, "SELECT 1");
  EXPECT_EQ(Tell("SELECT 3000000000")->table.columns[0].type, type_oid::kInt8);
  EXPECT_EQ(Tell("SELECT version()")->table.rows[0][0], "PostgreSQL 15 (Meridian)");
  EXPECT_EQ(Tell("SELECT current_user")->table.rows[0][0], "admin");
  EXPECT_EQ(Tell("SELECT current_database()")->table.rows[0][0], "meridian");
  EXPECT_EQ(Tell("SHOW server_version")->table.rows[0][0], "15.4");
  EXPECT_EQ(Tell("SHOW TimeZone")->table.columns[0].name, "timezone");
  EXPECT_EQ(Tell("SHOW ALL")->table.rows.size(), 2u);
  EXPECT_EQ(Tell("SET x = 1")->tag, "SET");
  EXPECT_TRUE(Tell("BEGIN")->table.columns.empty());
  const SqlError error = ToSqlError(Tell("SHOW shard").status());
  EXPECT_EQ(error.sqlstate, "42704");
  EXPECT_THAT(error.hint, testing::HasSubstr("SHARDS"));
}

TEST(AdminCommand, EveryCommandHasATagAndARoom) {
  EXPECT_EQ(TagOf(CreateShard{}), "CREATE SHARD");
  EXPECT_EQ(TagOf(SessionStatement{}), "");
  EXPECT_EQ(RoomOf(AttachTable{}), CommandRoom::kCatalog);
  EXPECT_EQ(RoomOf(Help{}), CommandRoom::kMap);
  EXPECT_EQ(RoomOf(Show{ShowSubject::kClients, {}}), CommandRoom::kProxy);
  EXPECT_EQ(RoomOf(ExplainRoute{}), CommandRoom::kProxy);
  EXPECT_EQ(RoomOf(SessionStatement{}), CommandRoom::kSession);
}

}  // namespace
}  // namespace meridian
