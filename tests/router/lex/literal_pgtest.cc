// The values that DecodeLiteral finds in literals are those that a PostgreSQL server finds, and the
// server reads as one literal what the scanner does: random literals, with both
// standard_conforming_strings.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "router/lex/literal.h"
#include "router/lex/shape.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

class Generator {
 public:
  std::string Pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }

  std::string Literal() {
    const std::string prefix = Pick({"", "", "E", "e", "U&", "u&", "N", "B", "x", "$$", "$a$"});
    if (prefix[0] == '$') return prefix + Content() + prefix;
    std::string literal = prefix + "'" + Content() + "'";
    while (random_() % 4 == 0) {
      literal += Pick({"\n", " \n", "\r\n\t", "\n\n", " "}) + "'" + Content() + "'";
    }
    if (random_() % 8 == 0) literal += " uescape '!'";
    return literal;
  }

 private:
  std::string Content() {
    std::string content;
    for (size_t count = random_() % 5; count > 0; --count) {
      content +=
          Pick({"a",       "Z",           "0",       "1",      "''",        "\\\\",   "\\n",
                "\\t",     "\\q",         "\\101",   "\\1",    "\\x41",     "\\x4g",  "\\xg",
                "\\u0041", "\\U00000042", "\\u00e4", "\\0041", "\\+000042", "\\00e4", "\xc3\xa4",
                " ",       "\n",          "\\'",     "\"",     "$",         "\\",     "--",
                "/*",      "\\xc3\\xa4",  "\\000",   "!0061",  "\\\n"});
    }
    return content;
  }

  std::mt19937_64 random_{7};
};

class LiteralTest : public testing::Test {
 protected:
  // The server's value of a text that is one string literal; nullopt where it refuses the text.
  std::optional<std::string> Server(const std::string& literal) {
    const auto rows = connection_.TryQuery("select (" + literal + ")::text");
    if (!rows.ok()) return std::nullopt;
    return rows->at(0, 0);
  }

  void Compare(bool standard_conforming_strings) {
    connection_.Query(fmt::format("set standard_conforming_strings = {}",
                                  standard_conforming_strings ? "on" : "off"));
    Generator random;
    std::string shape;
    std::string scratch;
    std::vector<Literal> literals;
    int compared = 0;
    for (int i = 0; i < 20000; ++i) {
      const std::string text = random.Literal();
      SCOPED_TRACE(text);
      const auto theirs = Server(text);
      if (!MakeShape(text, standard_conforming_strings, &shape, &literals)) continue;
      // Two literals, or one and junk, are a syntax error there.
      if (literals.size() != 1 || literals[0].range.end != text.size()) {
        EXPECT_FALSE(theirs.has_value());
        continue;
      }
      const auto ours = DecodeLiteral(text, literals[0], standard_conforming_strings, &scratch);
      if (!ours.has_value() || !theirs.has_value()) continue;
      // N'...' is a constant of type character: as text, it loses spaces at its end.
      const size_t end = text[0] == 'N' ? ours->find_last_not_of(' ') + 1 : ours->size();
      EXPECT_EQ(ours->substr(0, end), *theirs);
      ++compared;
    }
    EXPECT_GT(compared, 5000);
  }

  PgCluster cluster_;
  Connection connection_ = cluster_.Connect();
};

TEST_F(LiteralTest, HasTheValueThatTheServerFinds) { Compare(true); }

TEST_F(LiteralTest, HasTheValueThatTheServerFindsWithBackslashes) { Compare(false); }

}  // namespace
}  // namespace meridian
