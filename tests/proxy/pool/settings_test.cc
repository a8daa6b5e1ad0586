#include "proxy/pool/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian {
namespace {

using testing::ElementsAre;
using testing::Optional;
using testing::Pair;

std::string Change(SettingsRegistry& registry, std::vector<Settings::Entry> from,
                   std::vector<Settings::Entry> to) {
  return SettingsChangeSql(*registry.Intern(std::move(from)), *registry.Intern(std::move(to)));
}

TEST(Settings, TheSameEntriesAreOneObject) {
  SettingsRegistry registry;
  const auto a = registry.Intern({{"TimeZone", "UTC"}, {"work_mem", "4MB"}});
  const auto b = registry.Intern({{"work_mem", "4MB"}, {"timezone", "UTC"}});
  EXPECT_EQ(a.get(), b.get());
  EXPECT_THAT(a->entries(), ElementsAre(Pair("timezone", "UTC"), Pair("work_mem", "4MB")));
  EXPECT_NE(a.get(), registry.Intern({{"timezone", "utc"}, {"work_mem", "4MB"}}).get());
  EXPECT_EQ(registry.Intern({}).get(), registry.Empty().get());
}

TEST(Settings, ALaterEntryWins) {
  SettingsRegistry registry;
  const auto settings = registry.Intern({{"a", "1"}, {"b", "2"}, {"A", "3"}, {"a", "4"}});
  EXPECT_THAT(settings->entries(), ElementsAre(Pair("a", "4"), Pair("b", "2")));
}

TEST(Settings, AreForgottenWhenNobodyHoldsThem) {
  SettingsRegistry registry;
  EXPECT_EQ(registry.size(), 1u);  // the empty ones
  {
    const auto a = registry.Intern({{"a", "1"}});
    const auto b = registry.With(*a, "b", "2");
    EXPECT_EQ(registry.size(), 3u);
  }
  EXPECT_EQ(registry.size(), 1u);
}

TEST(Settings, NamesAndValuesDoNotRunTogether) {
  SettingsRegistry registry;
  EXPECT_NE(registry.Intern({{"a", "bc"}}).get(), registry.Intern({{"ab", "c"}}).get());
  EXPECT_NE(registry.Intern({{"a", ""}, {"b", ""}}).get(), registry.Intern({{"a", "b"}}).get());
}

TEST(Settings, WithSetsReplacesAndRemoves) {
  SettingsRegistry registry;
  const auto a = registry.With(*registry.Empty(), "B", "1");
  const auto ab = registry.With(*a, "a", "2");
  EXPECT_THAT(ab->entries(), ElementsAre(Pair("a", "2"), Pair("b", "1")));
  EXPECT_THAT(registry.With(*ab, "A", "3")->entries(), ElementsAre(Pair("a", "3"), Pair("b", "1")));
  EXPECT_EQ(registry.With(*ab, "A", std::nullopt).get(), a.get());
  EXPECT_EQ(registry.With(*a, "none", std::nullopt).get(), a.get());
  ASSERT_NE(ab->Find("a"), nullptr);
  EXPECT_EQ(*ab->Find("a"), "2");
  EXPECT_EQ(ab->Find("c"), nullptr);
}

TEST(SettingsChangeSql, SaysOnlyWhatDiffers) {
  SettingsRegistry registry;
  EXPECT_EQ(Change(registry, {{"a", "1"}}, {{"a", "1"}}), "");
  EXPECT_EQ(Change(registry, {}, {{"a", "1"}, {"b", "x'y"}}),
            "SELECT pg_catalog.set_config('a', '1', false), "
            "pg_catalog.set_config('b', 'x''y', false)");
  EXPECT_EQ(Change(registry, {{"a", "1"}, {"b", "2"}}, {{"a", "1"}, {"b", "3"}}),
            "SELECT pg_catalog.set_config('b', '3', false)");
  EXPECT_EQ(Change(registry, {{"a", "1"}, {"my.own", "2"}}, {}), "RESET a; RESET \"my.own\"");
  EXPECT_EQ(Change(registry, {{"a", "1"}}, {{"b", "2"}}),
            "RESET a; SELECT pg_catalog.set_config('b', '2', false)");
}

TEST(SettingsChangeSql, WhoOneIsComesLast) {
  SettingsRegistry registry;
  EXPECT_EQ(
      Change(registry, {}, {{"role", "r"}, {"session_authorization", "s"}, {"work_mem", "1MB"}}),
      "SELECT pg_catalog.set_config('work_mem', '1MB', false), "
      "pg_catalog.set_config('session_authorization', 's', false), "
      "pg_catalog.set_config('role', 'r', false)");
}

TEST(SettingsChangeSql, LeavesTheRoleBeforeAnythingElseIsSet) {
  SettingsRegistry registry;
  EXPECT_EQ(Change(registry, {{"role", "r"}}, {{"log_statement", "all"}, {"role", "r"}}),
            "RESET role; SELECT pg_catalog.set_config('log_statement', 'all', false), "
            "pg_catalog.set_config('role', 'r', false)");
  EXPECT_EQ(Change(registry, {{"role", "r"}, {"session_authorization", "s"}}, {}),
            "RESET role; RESET session_authorization");
}

// A backslash or quote may be half of a character in the encoding that the server reads.
TEST(SettingsChangeSql, TextBeyondAsciiIsSentAsDigits) {
  SettingsRegistry registry;
  EXPECT_EQ(
      Change(registry, {}, {{"application_name", "\xc3\xbc'"}, {"client_encoding", "LATIN1"}}),
      "SELECT pg_catalog.set_config('application_name', "
      "pg_catalog.convert_from(pg_catalog.decode('c3bc27', 'hex'), 'UTF8'), false), "
      "pg_catalog.set_config('client_encoding', 'LATIN1', false)");
  EXPECT_EQ(Change(registry, {}, {{"a", "\xc3\xbc"}}),
            "SELECT pg_catalog.set_config('a', pg_catalog.convert_from("
            "pg_catalog.decode('c3bc', 'hex'), pg_catalog.getdatabaseencoding()), false)");
}

TEST(FlattenSetting, JoinsAndQuotesAsPostgresDoes) {
  EXPECT_EQ(FlattenSetting("search_path", {"a", "B c", "$user"}), "a, \"B c\", \"$user\"");
  EXPECT_EQ(FlattenSetting("SEARCH_PATH", {"a, b"}), "\"a, b\"");
  EXPECT_EQ(FlattenSetting("search_path", {""}), "\"\"");
  EXPECT_EQ(FlattenSetting("datestyle", {"ISO", "DMY"}), "ISO, DMY");
  EXPECT_EQ(FlattenSetting("datestyle", {"", "DMY"}), ", DMY");
  EXPECT_EQ(FlattenSetting("work_mem", {"4MB"}), "4MB");
}

TEST(SplitIdentifierList, TakesWhatPostgresTakes) {
  EXPECT_THAT(SplitIdentifierList(""), Optional(ElementsAre()));
  EXPECT_THAT(SplitIdentifierList(" \t"), Optional(ElementsAre()));
  EXPECT_THAT(SplitIdentifierList("a"), Optional(ElementsAre("a")));
  EXPECT_THAT(SplitIdentifierList(" Ab ,\"Cd\", \"e\"\"f\" "),
              Optional(ElementsAre("ab", "Cd", "e\"f")));
  EXPECT_THAT(SplitIdentifierList("\"\""), Optional(ElementsAre("")));
  EXPECT_THAT(SplitIdentifierList("\"a, b\""), Optional(ElementsAre("a, b")));
  EXPECT_THAT(SplitIdentifierList("$user"), Optional(ElementsAre("$user")));
  // An unquoted name goes on to the next comma or space.
  EXPECT_THAT(SplitIdentifierList("a\"b"), Optional(ElementsAre("a\"b")));
}

TEST(SplitIdentifierList, RefusesWhatPostgresRefuses) {
  for (const char* list : {",", "a,", ",a", "a b", "\"a", "\"a\" b", "\"a\"b", "a,,b", "\""}) {
    EXPECT_EQ(SplitIdentifierList(list), std::nullopt) << list;
  }
}

TEST(SplitIdentifierList, CutsLongNamesBetweenCharacters) {
  const std::string long_name(62, 'x');
  EXPECT_THAT(SplitIdentifierList(long_name + "yz"), Optional(ElementsAre(long_name + "y")));
  EXPECT_THAT(SplitIdentifierList(long_name + "\xc3\xbc"), Optional(ElementsAre(long_name)));
}

TEST(SplitIdentifierList, GivesBackWhatFlattenMade) {
  const std::vector<std::string> names = {"a", "B", "c d", "e,f", "g\"h", "", "$user", "select"};
  EXPECT_THAT(SplitIdentifierList(FlattenSetting("search_path", names)), Optional(names));
}

}  // namespace
}  // namespace meridian
