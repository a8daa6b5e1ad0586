// docs/admin.md and HELP name the same commands.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "sharding/admin/syntax.h"

namespace meridian {
namespace {

// Every command is a heading of the third level: "### CREATE SHARD".
TEST(AdminDocs, NameTheCommandsOfHelp) {
  std::ifstream file(MERIDIAN_SOURCE_DIR "/docs/admin.md");
  ASSERT_TRUE(file);
  std::set<std::string> documented, known;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("### ")) documented.insert(line.substr(4));
  }
  for (const CommandSyntax& command : CommandTable()) known.emplace(command.name);
  EXPECT_EQ(documented, known);
}

TEST(AdminDocs, HaveTheSyntaxOfHelp) {
  std::ifstream file(MERIDIAN_SOURCE_DIR "/docs/admin.md");
  std::stringstream all;
  all << file.rdbuf();
  for (const CommandSyntax& command : CommandTable()) {
    std::string_view rest = command.syntax;
    while (!rest.empty()) {  // alternatives stand on a line each
      const size_t end = std::min(rest.find(" | ALTER"), rest.size());
      EXPECT_NE(all.str().find("\n" + std::string(rest.substr(0, end)) + "\n"), std::string::npos)
          << rest.substr(0, end);
      rest.remove_prefix(std::min(end + 3, rest.size()));
    }
  }
}

}  // namespace
}  // namespace meridian
