// Bad input: each line of parser_errors.txt is a text and the error that it must give.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "sharding/admin/parser.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

TEST(AdminParserErrors, AreAsInTheGoldenFile) {
  std::ifstream file(MERIDIAN_SOURCE_DIR "/tests/sharding/admin/parser_errors.txt");
  ASSERT_TRUE(file);
  std::string text, expected;
  int cases = 0;
  while (std::getline(file, text)) {
    if (text.empty() || text[0] == '#') continue;
    ASSERT_TRUE(std::getline(file, expected)) << text;
    const auto statements = ParseAdmin(text);
    if (statements.ok()) {
      ADD_FAILURE() << text << "\nis accepted";
      continue;
    }
    const SqlError error = ToSqlError(statements.status());
    std::string actual =
        fmt::format("    {} @{} {}", error.sqlstate, error.position, error.message);
    if (!error.hint.empty()) actual += " | " + error.hint;
    EXPECT_EQ(actual, expected) << text;
    ++cases;
  }
  EXPECT_GT(cases, 40);
}

TEST(AdminParserErrors, LimitsTheText) {
  const auto state = [](const std::string& text) {
    return ToSqlError(ParseAdmin(text).status()).sqlstate;
  };
  EXPECT_EQ(state(std::string(kMaxAdminTextBytes + 1, ' ')), "54000");
  std::string many;
  for (size_t i = 0; i <= kMaxAdminStatements; ++i) many += "RELOAD;";
  EXPECT_EQ(state(many), "54000");
  EXPECT_EQ(state(std::string("RELOAD\0", 7)), "22021");
  EXPECT_EQ(state("RELOAD \xff"), "22021");
  EXPECT_EQ(state("DROP SHARD " + std::string(64, 'x')), "42622");
  EXPECT_EQ(state(std::string(60000, '(')), "42601");
}

}  // namespace
}  // namespace meridian
