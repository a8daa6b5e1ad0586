#include <gtest/gtest.h>

#include "sharding/quote.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

const char* const kNames[] = {"a",   "A",   "a1",       "1a",    "_x",  "a$b", "é",
                              "",    "a b", "a\"b",     "it's",  "b\\", "\\'", "\n",
                              "a.b", "\"",  "meridian", "Order", "x;--"};

TEST(Quote, IdentifiersAsTheServerDoesIncludingKeywords) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  for (const char* name : kNames) {
    EXPECT_EQ(QuoteIdentifier(name), connection.Value("select quote_ident($1)", {name})) << name;
  }
  const PgRows rows = connection.Query("select word, quote_ident(word) from pg_get_keywords()");
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(QuoteIdentifier(rows.at(i, 0)), rows.at(i, 1));
  }
}

TEST(Quote, LiteralsMeanTheSameUnderBothSettings) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  for (const char* setting : {"on", "off"}) {
    connection.Query(std::string("set standard_conforming_strings = ") + setting);
    connection.Query("set escape_string_warning = off");
    for (const char* name : kNames) {
      EXPECT_EQ(connection.Value("select " + QuoteLiteral(name)), name);
    }
  }
}

}  // namespace
}  // namespace meridian
