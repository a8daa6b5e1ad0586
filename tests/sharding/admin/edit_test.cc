// The rules of the map, command by command.
#include "sharding/admin/edit.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sharding/admin/bound_text.h"
#include "sharding/admin/parser.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

class AdminEdit : public testing::Test {
 protected:
  // "" or "SQLSTATE message". An error leaves the map as it was.
  std::string Run(const std::string& text) {
    auto statements = ParseAdmin(text);
    EXPECT_TRUE(statements.ok()) << text << ": " << statements.status();
    for (const AdminStatement& statement : *statements) {
      MapDraft edited = draft_;
      absl::Status done = std::visit(
          [&](const auto& command) -> absl::Status {
            if constexpr (requires { Apply(command, edited); }) {
              return Apply(command, edited);
            } else {
              return absl::InternalError("no edit");
            }
          },
          statement.command);
      if (done.ok()) done = BuildMap(Epoch{1}, edited).status();
      if (!done.ok()) {
        const SqlError error = ToSqlError(done);
        hint_ = error.hint;
        return error.sqlstate + " " + error.message;
      }
      draft_ = edited;
    }
    return "";
  }

  // "name: lower > owner, ..." in order.
  std::string Ranges(std::string_view distribution) {
    std::string text;
    const DraftDistribution& d = *draft_.FindDistribution(distribution);
    for (const DraftRange& range : d.ranges) {
      text += fmt::format("{}{}: {} > {}", text.empty() ? "" : "; ", range.name,
                          BoundSql(d.columns, range.lower), range.owner);
    }
    return text;
  }

  void MakeShards() {
    ASSERT_EQ(Run("CREATE SHARD s1 OPTIONS (HOST 'a'); CREATE SHARD s2 OPTIONS (HOST 'b');"
                  "CREATE SHARD s3 OPTIONS (HOST 'c')"),
              "");
  }

  MapDraft draft_;
  std::string hint_;
};

TEST_F(AdminEdit, ShardsHaveTheirOwnDatabases) {
  ASSERT_EQ(Run("CREATE SHARD s1 OPTIONS (HOST 'a:1', HOST 'b:1')"), "");
  EXPECT_EQ(Run("CREATE SHARD s1 OPTIONS (HOST 'x')"), "42710 shard \"s1\" already exists");
  EXPECT_EQ(Run("CREATE SHARD s2 OPTIONS (HOST 'b:1')"),
            "42710 the host b:1 belongs to shard \"s1\"");
  EXPECT_EQ(Run("CREATE SHARD s2 OPTIONS (HOST 'b:1', DBNAME 'x')"),
            "42710 the host b:1 belongs to shard \"s1\"");
  EXPECT_EQ(Run("CREATE SHARD s2 OPTIONS (HOST 'z', HOST 'z')"),
            "42710 shard \"s2\" already has the host z:5432");
  EXPECT_EQ(Run("CREATE SHARD d1 OPTIONS (HOST 'd', DBNAME 'x');"
                "CREATE SHARD d2 OPTIONS (HOST 'd', DBNAME 'y')"),
            "");
}

TEST_F(AdminEdit, HostsComeAndGo) {
  MakeShards();
  EXPECT_EQ(Run("ALTER SHARD s1 ADD HOST 'a2'"), "");
  EXPECT_EQ(Run("ALTER SHARD s1 ADD HOST 'b'"), "42710 the host b:5432 belongs to shard \"s2\"");
  EXPECT_EQ(Run("ALTER SHARD s1 DROP HOST 'x'"), "42704 shard \"s1\" has no host x:5432");
  EXPECT_EQ(Run("ALTER SHARD s1 DROP HOST 'a'"), "");
  EXPECT_EQ(Run("ALTER SHARD s1 DROP HOST 'a2'"), "55000 a2:5432 is the only host of shard \"s1\"");
  EXPECT_EQ(Run("ALTER SHARD s9 ADD HOST 'b'"), "42704 shard \"s9\" does not exist");
}

TEST_F(AdminEdit, ShardsThatAreNeededStay) {
  MakeShards();
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint SHARDS (s2)"), "");
  EXPECT_EQ(Run("DROP SHARD s1"), "55000 shard \"s1\" is the default shard");
  EXPECT_EQ(Run("DROP SHARD s2"),
            "2BP01 shard \"s2\" owns key range \"d_1\" of distribution \"d\"");
  EXPECT_EQ(Run("DROP SHARD s3"), "");
  EXPECT_EQ(Run("DROP SHARD s3"), "42704 shard \"s3\" does not exist");
}

TEST_F(AdminEdit, HashSpaceIsCutEvenly) {
  EXPECT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH"), "55000 there is no shard yet");
  MakeShards();
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2)"), "");
  EXPECT_EQ(Ranges("d"), "d_1: MINVALUE > s1; d_2: 0 > s2");
  ASSERT_EQ(Run("CREATE DISTRIBUTION e COLUMN TYPES uuid HASH, text HASH"), "");
  EXPECT_EQ(Ranges("e"),
            "e_1: MINVALUE > s1; e_2: -3074457345618258603 > s2; e_3: 3074457345618258602 > s3");
  ASSERT_EQ(Run("CREATE DISTRIBUTION one COLUMN TYPES bigint HASH SHARDS (s3)"), "");
  EXPECT_EQ(Ranges("one"), "one_1: MINVALUE > s3");
  EXPECT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES text"),
            "42710 distribution \"d\" already exists");
  EXPECT_EQ(Run("CREATE DISTRIBUTION f COLUMN TYPES text HASH SHARDS (s1, s1)"),
            "22023 shard \"s1\" is named twice");
  EXPECT_EQ(Run("CREATE DISTRIBUTION f COLUMN TYPES text HASH SHARDS (s1, x)"),
            "42704 shard \"x\" does not exist");
  EXPECT_EQ(Run("CREATE DISTRIBUTION f COLUMN TYPES text SHARDS (s1, s2)"),
            "22023 only a hashed key space can be cut evenly over several shards");
}

TEST_F(AdminEdit, PlainRangesBeginWithMinvalue) {
  MakeShards();
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES text, integer"), "");
  EXPECT_EQ(Ranges("d"), "");
  EXPECT_EQ(Run("CREATE KEY RANGE FROM 'm' ROUTE TO s1 FOR DISTRIBUTION d"),
            "22023 the first key range of distribution \"d\" must start with MINVALUE");
  EXPECT_EQ(hint_, "Begin with: CREATE KEY RANGE FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION d.");
  ASSERT_EQ(Run("CREATE KEY RANGE FROM MINVALUE, MINVALUE ROUTE TO s1 FOR DISTRIBUTION d;"
                "CREATE KEY RANGE mid FROM 'm', 5 ROUTE TO s2 FOR DISTRIBUTION d;"
                "CREATE KEY RANGE FROM 'm' ROUTE TO s3 FOR DISTRIBUTION d"),
            "");
  EXPECT_EQ(Ranges("d"), "d_1: MINVALUE > s1; d_3: 'm' > s3; mid: 'm', 5 > s2");
  EXPECT_EQ(Run("CREATE KEY RANGE FROM 'm' ROUTE TO s1 FOR DISTRIBUTION d"),
            "42710 key range \"d_3\" already starts at 'm'");
  EXPECT_EQ(Run("CREATE KEY RANGE FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION d"),
            "42710 key range \"d_1\" already starts at MINVALUE");
  EXPECT_EQ(Run("CREATE KEY RANGE mid FROM 'x' ROUTE TO s1 FOR DISTRIBUTION d"),
            "42710 key range \"mid\" already exists");
  EXPECT_EQ(Run("CREATE KEY RANGE FROM 'x', 1, 2 ROUTE TO s1 FOR DISTRIBUTION d"),
            "42601 the bound has 3 components, the key has 2");
  EXPECT_EQ(Run("CREATE KEY RANGE FROM 5 ROUTE TO s1 FOR DISTRIBUTION d"),
            "42804 the key column is of type text, the bound is a number");
  EXPECT_EQ(Run("CREATE KEY RANGE FROM 'x', 'y' ROUTE TO s1 FOR DISTRIBUTION d"),
            "22P02 invalid input syntax for type integer: \"y\"");
  EXPECT_EQ(
      Run("CREATE KEY RANGE FROM 'x', 3000000000 ROUTE TO s1 FOR DISTRIBUTION d").substr(0, 5),
      "22003");
  EXPECT_EQ(Run("CREATE KEY RANGE FROM 'x' ROUTE TO s1 FOR DISTRIBUTION nope"),
            "42704 distribution \"nope\" does not exist");
}

TEST_F(AdminEdit, DatesMustMeanTheSameEverywhere) {
  MakeShards();
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES timestamptz SHARDS (s1)"), "");
  EXPECT_EQ(Run("CREATE KEY RANGE FROM '31/12/2024' ROUTE TO s1 FOR DISTRIBUTION d").substr(0, 5),
            "22023");
  EXPECT_EQ(Run("CREATE KEY RANGE FROM '2024-12-31 00:00:00+00' ROUTE TO s1 FOR DISTRIBUTION d"),
            "");
}

TEST_F(AdminEdit, TheOwnerOfRowsDoesNotChange) {
  MakeShards();
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES integer SHARDS (s1);"
                "ALTER DISTRIBUTION d ATTACH TABLE t DISTRIBUTION KEY a"),
            "");
  EXPECT_EQ(Run("CREATE KEY RANGE r FROM 10 ROUTE TO s2 FOR DISTRIBUTION d"),
            "55000 distribution \"d\" has tables, whose rows from 10 on may be on shard \"s1\"");
  EXPECT_EQ(hint_, "SPLIT KEY RANGE r FROM d_1 BY 10 makes the range where its rows are.");
  EXPECT_EQ(Run("CREATE KEY RANGE r FROM 10 ROUTE TO s1 FOR DISTRIBUTION d"), "");
}

TEST_F(AdminEdit, SplitsAndUnites) {
  MakeShards();
  ASSERT_EQ(Run("CREATE DISTRIBUTION d COLUMN TYPES integer SHARDS (s1);"
                "SPLIT KEY RANGE b FROM d_1 BY 10; SPLIT KEY RANGE c FROM b BY 20"),
            "");
  EXPECT_EQ(Ranges("d"), "d_1: MINVALUE > s1; b: 10 > s1; c: 20 > s1");
  EXPECT_EQ(Run("SPLIT KEY RANGE x FROM b BY 10"), "42710 key range \"b\" already starts at 10");
  EXPECT_EQ(Run("SPLIT KEY RANGE x FROM b BY 25"),
            "22023 25 is not inside key range \"b\" but in \"c\"");
  EXPECT_EQ(Run("SPLIT KEY RANGE x FROM b BY MINVALUE"),
            "42710 key range \"d_1\" already starts at MINVALUE");
  EXPECT_EQ(Run("SPLIT KEY RANGE c FROM b BY 15"), "42710 key range \"c\" already exists");
  EXPECT_EQ(Run("SPLIT KEY RANGE x FROM nope BY 15"), "42704 key range \"nope\" does not exist");
  EXPECT_EQ(Run("UNITE KEY RANGE d_1 WITH c"),
            "22023 key ranges \"d_1\" and \"c\" are not neighbours");
  EXPECT_EQ(Run("UNITE KEY RANGE c WITH c"), "22023 key ranges \"c\" and \"c\" are not neighbours");
  ASSERT_EQ(Run("CREATE KEY RANGE e FROM 30 ROUTE TO s2 FOR DISTRIBUTION d"), "");
  EXPECT_EQ(Run("UNITE KEY RANGE c WITH e"),
            "55000 key range \"c\" is on shard \"s1\", \"e\" on shard \"s2\"");
  EXPECT_EQ(Run("UNITE KEY RANGE c WITH b"), "");
  EXPECT_EQ(Ranges("d"), "d_1: MINVALUE > s1; c: 10 > s1; e: 30 > s2");
  EXPECT_EQ(Run("UNITE KEY RANGE d_1 WITH c"), "");
  EXPECT_EQ(Ranges("d"), "d_1: MINVALUE > s1; e: 30 > s2");
}

TEST_F(AdminEdit, TablesHaveOnePlace) {
  EXPECT_EQ(Run("CREATE REFERENCE TABLE r"), "55000 there is no shard yet");
  MakeShards();
  ASSERT_EQ(
      Run("CREATE DISTRIBUTION d COLUMN TYPES integer, text SHARDS (s1);"
          "CREATE DISTRIBUTION e COLUMN TYPES integer SHARDS (s1);"
          "ALTER DISTRIBUTION d ATTACH TABLE t DISTRIBUTION KEY a, b; CREATE REFERENCE TABLE r"),
      "");
  EXPECT_EQ(Run("ALTER DISTRIBUTION e ATTACH TABLE t DISTRIBUTION KEY a"),
            "42710 public.t is a table of distribution \"d\"");
  EXPECT_EQ(Run("ALTER DISTRIBUTION e ATTACH TABLE r DISTRIBUTION KEY a"),
            "42710 public.r is a reference table");
  EXPECT_EQ(Run("CREATE REFERENCE TABLE t"), "42710 public.t is a table of distribution \"d\"");
  EXPECT_EQ(Run("ALTER DISTRIBUTION d ATTACH TABLE u DISTRIBUTION KEY a"),
            "22023 distribution \"d\" has 2 key columns, 1 are given");
  EXPECT_EQ(Run("ALTER DISTRIBUTION d ATTACH TABLE u DISTRIBUTION KEY a, a"),
            "42701 a column is named twice in the distribution key");
  EXPECT_EQ(Run("DROP DISTRIBUTION d"), "2BP01 distribution \"d\" has the table public.t");
  EXPECT_EQ(Run("ALTER DISTRIBUTION e DETACH TABLE t"),
            "42704 public.t is no table of distribution \"e\"");
  EXPECT_EQ(Run("DROP REFERENCE TABLE t"), "42704 public.t is no reference table");
  EXPECT_EQ(Run("ALTER DISTRIBUTION d DETACH TABLE t; DROP DISTRIBUTION d; DROP REFERENCE TABLE r"),
            "");
  EXPECT_EQ(Run("DROP DISTRIBUTION d"), "42704 distribution \"d\" does not exist");
}

TEST_F(AdminEdit, LimitsTheNumberOfShards) {
  for (size_t i = 0; i < kMaxShards; ++i) {
    ASSERT_EQ(Run(fmt::format("CREATE SHARD s{} OPTIONS (HOST 'h{}')", i, i)), "");
  }
  EXPECT_EQ(Run("CREATE SHARD x OPTIONS (HOST 'x')"), "54000 a map holds at most 256 shards");
}

}  // namespace
}  // namespace meridian
