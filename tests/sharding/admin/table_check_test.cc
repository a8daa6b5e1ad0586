// Which definitions may be sharded.
#include "sharding/admin/table_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sharding/admin/schema_dump.h"
#include "sharding/catalog/map_draft.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using testing::HasSubstr;

constexpr uint32_t kBigintOid = 20, kTextOid = 25, kVarcharOid = 1043, kIntegerOid = 23;

ColumnDefinition Column(std::string name, uint32_t type, bool byte_order = false) {
  ColumnDefinition column;
  column.name = std::move(name);
  column.type = "some type";
  column.type_oid = type;
  column.not_null = true;
  column.collation = "x";
  column.byte_order = byte_order;
  return column;
}

TableDefinition Table(std::vector<ColumnDefinition> columns) {
  TableDefinition table;
  table.encoding = "UTF8";
  table.columns = std::move(columns);
  return table;
}

std::string CheckKey(KeyColumn key, const TableDefinition& table) {
  const auto distribution = *Distribution::Build("d", {key}, {});
  const absl::Status checked = CheckKeyColumns({"d", {"public", "t"}, {"k"}}, distribution, table);
  return checked.ok() ? "" : ToSqlError(checked).sqlstate + " " + ToSqlError(checked).hint;
}

TEST(TableCheck, KeyColumns) {
  const KeyColumn bigint{KeyType::kBigint, true}, text{KeyType::kText, false},
      text_hash{KeyType::kText, true};
  EXPECT_EQ(CheckKey(bigint, Table({Column("k", kBigintOid)})), "");
  EXPECT_THAT(CheckKey(bigint, Table({Column("x", kBigintOid)})), HasSubstr("42703"));
  EXPECT_THAT(CheckKey(bigint, Table({Column("k", kIntegerOid)})), HasSubstr("42804"));
  auto nullable = Table({Column("k", kBigintOid)});
  nullable.columns[0].not_null = false;
  EXPECT_EQ(CheckKey(bigint, nullable), "23502 ALTER TABLE public.t ALTER COLUMN k SET NOT NULL;");
  auto generated = Table({Column("k", kBigintOid)});
  generated.columns[0].generated = true;
  EXPECT_THAT(CheckKey(bigint, generated), HasSubstr("0A000"));
  EXPECT_EQ(CheckKey(text, Table({Column("k", kTextOid, true)})), "");
  EXPECT_EQ(CheckKey(text, Table({Column("k", kVarcharOid, true)})), "");
  EXPECT_THAT(CheckKey(text, Table({Column("k", kTextOid)})), HasSubstr("COLLATE \"C\""));
  EXPECT_EQ(CheckKey(text_hash, Table({Column("k", kTextOid)})), "");
  auto loose = Table({Column("k", kTextOid)});
  loose.columns[0].deterministic = false;
  EXPECT_THAT(CheckKey(text_hash, loose), HasSubstr("0A000"));
  auto latin = Table({Column("k", kTextOid, true)});
  latin.encoding = "LATIN1";
  EXPECT_THAT(CheckKey(text, latin), HasSubstr("UTF8"));
}

TEST(TableCheck, Kinds) {
  const auto state = [](char kind, bool partition, bool children, char persistence) {
    TableDefinition table;
    table.kind = kind;
    table.is_partition = partition;
    table.has_children = children;
    table.persistence = persistence;
    const absl::Status checked = CheckTableKind({"public", "t"}, table);
    return checked.ok() ? "" : ToSqlError(checked).sqlstate;
  };
  EXPECT_EQ(state('r', false, false, 'p'), "");
  EXPECT_EQ(state('p', false, true, 'p'), "");
  EXPECT_EQ(state('v', false, false, 'p'), "42809");
  EXPECT_EQ(state('r', true, false, 'p'), "0A000");
  EXPECT_EQ(state('r', false, true, 'p'), "0A000");
  EXPECT_EQ(state('r', false, false, 'u'), "0A000");
}

TEST(TableCheck, DefinitionsMustBeEqual) {
  const auto a = Table({Column("k", kBigintOid), Column("v", kTextOid)});
  auto b = a;
  const auto check = [&] { return CheckSameDefinition({"public", "t"}, "s1", a, "s2", b); };
  EXPECT_TRUE(check().ok());
  b.columns[1].collation = "y";
  EXPECT_EQ(ToSqlError(check()).sqlstate, "42P17");
  EXPECT_THAT(ToSqlError(check()).detail, HasSubstr("Column 2: \"v\" some type COLLATE x"));
  b = a;
  std::swap(b.columns[0], b.columns[1]);
  EXPECT_FALSE(check().ok());
  b = a;
  b.columns.pop_back();
  EXPECT_THAT(ToSqlError(check()).detail, HasSubstr("no column on shard \"s2\""));
  b = a;
  b.encoding = "LATIN1";
  EXPECT_EQ(ToSqlError(check()).sqlstate, "0A000");
  EXPECT_THAT(ToSqlError(check()).message, HasSubstr("UTF8 and LATIN1"));
}

TEST(TableCheck, WarnsOfWhatShardingMakesWeaker) {
  MapDraft draft;
  draft.shards = {{"s1", {{"a", 1}}, ""}};
  draft.distributions = {{"d", {{KeyType::kBigint, true}}, {}},
                         {"e", {{KeyType::kBigint, true}}, {}}};
  const auto sharded = MappedTable::Kind::kSharded;
  draft.tables = {{{"public", "customers"}, sharded, "d", {"id"}},
                  {{"public", "other"}, sharded, "e", {"id"}},
                  {{"public", "products"}, MappedTable::Kind::kReference, "", {}}};
  auto table = Table({Column("customer", kBigintOid)});
  table.uniques = {
      {"orders_pkey", {"customer", "id"}}, {"orders_code", {"code"}}, {"orders_x", {""}}};
  table.foreign_keys = {{"to_customers", {"public", "customers"}, {"customer"}, {"id"}},
                        {"to_products", {"public", "products"}, {"p"}, {"id"}},
                        {"by_other_column", {"public", "customers"}, {"x"}, {"id"}},
                        {"to_other", {"public", "other"}, {"customer"}, {"id"}},
                        {"to_local", {"public", "nope"}, {"customer"}, {"id"}},
                        {"to_itself", {"public", "orders"}, {"customer", "p"}, {"customer", "id"}},
                        {"to_itself_x", {"public", "orders"}, {"p"}, {"id"}}};
  const auto warnings = ShardingWarnings({"d", {"public", "orders"}, {"customer"}},
                                         **BuildMap(Epoch{1}, draft), table);
  std::vector<std::string> messages;
  for (const AdminNotice& warning : warnings) messages.push_back(warning.message);
  EXPECT_THAT(messages,
              testing::ElementsAre(HasSubstr("\"orders_code\""), HasSubstr("\"orders_x\""),
                                   HasSubstr("\"by_other_column\""), HasSubstr("\"to_other\""),
                                   HasSubstr("\"to_local\""), HasSubstr("\"to_itself_x\"")));
}

TEST(SchemaDump, LeavesOutPsqlCommands) {
  EXPECT_EQ(WithoutPsqlCommands(
                "--\n-- x\n--\n\n\\restrict aBc1\n\nSET a;\nSELECT '\n\\unrestrict zz\n';\n\n"
                "\\unrestrict aBc1\n\n"),
            "--\n-- x\n--\n\n\nSET a;\nSELECT '\n\\unrestrict zz\n';\n\n\n");
  EXPECT_EQ(WithoutPsqlCommands("SELECT '\n\\restrict x\n';"), "SELECT '\n\\restrict x\n';");
  EXPECT_EQ(WithoutPsqlCommands(""), "");
}

}  // namespace
}  // namespace meridian
