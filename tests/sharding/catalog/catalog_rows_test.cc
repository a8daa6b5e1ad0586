// The map as rows and back, and the difference between two maps.
#include "sharding/catalog/catalog_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sharding/catalog/migrations.h"
#include "sharding/catalog/text_array.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

MapDraft TestDraft() {
  MapDraft draft;
  draft.shards = {{"s2", {{"a", 1}, {"b", 2}}, ""}, {"s1", {{"/run/pg", 3}}, "db"}};
  draft.distributions = {
      {"d",
       {{KeyType::kText, false}, {KeyType::kBytea, false}, {KeyType::kUuid, true}},
       {{"r1", {}, "s1"},
        {"r2", KeyBound{{KeyValue("a{\"x\\,")}}, "s2"},
        {"r3", KeyBound{{KeyValue("z"), KeyValue(std::string("\0\xff", 2)), KeyValue(int64_t{-5})}},
         "s1"}}},
      {"empty", {{KeyType::kBigint, true}}, {}}};
  draft.distributions[0].ranges[1].move = DraftRangeMove{"s1", true, 0};
  draft.distributions[0].ranges[2].move = DraftRangeMove{"s2", false, 0x1600000001};
  draft.tables = {{{"Odd \"schema\"", "t"}, MappedTable::Kind::kSharded, "d", {"a", "b", "c"}},
                  {{"public", "r"}, MappedTable::Kind::kReference, "", {}}};
  draft.strays = {{"s1", "d", KeyBound{{KeyValue("a{\"x\\,")}}, KeyBound{{KeyValue("b")}}},
                  {"s2", "d", KeyBound{{KeyValue("z{")}}, std::nullopt}};
  return draft;
}

TEST(TextArray, ReadsWhatItWrites) {
  for (const std::vector<std::string>& elements : std::vector<std::vector<std::string>>{
           {}, {""}, {"a", "b"}, {"NULL"}, {"\"", "\\", "{}", ",", " x "}}) {
    EXPECT_EQ(ParseTextArray(FormatTextArray(elements)), elements);
  }
  EXPECT_EQ(ParseTextArray("{a,\"b c\",d\\,e}"), (std::vector<std::string>{"a", "b c", "d,e"}));
  for (const char* bad :
       {"", "{", "{a", "a}", "{a}x", "{NULL}", "{,}", "{\"a}", "{\"a\"b}", "{a\\", "{{a},{b}}x"}) {
    EXPECT_EQ(ParseTextArray(bad), std::nullopt) << bad;
  }
}

TEST(CatalogRows, ComeBackTheSame) {
  const CatalogRows rows = EncodeDraft(TestDraft());
  const auto back = DecodeDraft(rows);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(EncodeDraft(*back), rows);
  EXPECT_EQ(back->shards[0].name, "s2");  // the default shard keeps its place
  EXPECT_EQ(back->distributions[0].ranges[2].lower.values,
            TestDraft().distributions[0].ranges[2].lower.values);
  EXPECT_TRUE(BuildMap(Epoch{1}, *back).ok());
}

TEST(CatalogRows, DraftOfAMapIsTheDraftThatMadeIt) {
  const auto map = BuildMap(Epoch{1}, TestDraft());
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(EncodeDraft(DraftOf(**map)), EncodeDraft(TestDraft()));
}

TEST(CatalogRows, DifferenceTouchesOnlyWhatChanged) {
  const CatalogRows before = EncodeDraft(TestDraft());
  EXPECT_TRUE(Difference(before, before).empty());
  MapDraft draft = TestDraft();
  draft.distributions[0].ranges[1].owner = "s1";
  draft.tables.pop_back();
  draft.shards.push_back({"s3", {{"x", 9}}, ""});
  std::vector<std::string> sql;
  for (const auto& statement : Difference(before, EncodeDraft(draft))) sql.push_back(statement.sql);
  EXPECT_THAT(sql,
              testing::ElementsAre(
                  "INSERT INTO shards (shard, position, dbname, number) VALUES ($1, $2, $3, $4)",
                  "INSERT INTO nodes (shard, position, host, port) VALUES ($1, $2, $3, $4)",
                  "UPDATE key_ranges SET distribution = $2, lower = $3, owner = $4, peer = "
                  "$5, held = $6, complete_at = $7 WHERE range = $1",
                  "DELETE FROM tables WHERE schema_name = $1 AND table_name = $2"));
}

TEST(CatalogRows, CorruptRowsAreAnError) {
  const auto decode = [](size_t table, size_t column, const char* value) {
    CatalogRows rows = EncodeDraft(TestDraft());
    rows[table].back()[column] = value;
    return ToSqlError(DecodeDraft(rows).status()).sqlstate;
  };
  EXPECT_EQ(decode(1, 0, "nobody"), "XX001");   // nodes.shard
  EXPECT_EQ(decode(3, 2, "money"), "XX001");    // distribution_columns.type
  EXPECT_EQ(decode(4, 1, "nothing"), "XX001");  // key_ranges.distribution
  EXPECT_EQ(decode(4, 2, "{a,b,c,d}"), "XX001");
  EXPECT_EQ(decode(4, 2, "{a,\\\\x0,1}"), "XX001");
  EXPECT_EQ(decode(4, 2, "a"), "XX001");
}

TEST(Migrations, AreNumberedFromOne) {
  int expected = 1;
  for (const Migration& migration : Migrations()) {
    EXPECT_EQ(migration.version, expected++);
    EXPECT_FALSE(migration.sql.empty());
  }
  EXPECT_GT(expected, 1);
}

}  // namespace
}  // namespace meridian
