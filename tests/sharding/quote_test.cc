#include "sharding/quote.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

TEST(Quote, Identifiers) {
  EXPECT_EQ(QuoteIdentifier("orders_2"), "orders_2");
  EXPECT_EQ(QuoteIdentifier("Orders"), "\"Orders\"");
  EXPECT_EQ(QuoteIdentifier("order"), "\"order\"");
  EXPECT_EQ(QuoteIdentifier("2a"), "\"2a\"");
  EXPECT_EQ(QuoteIdentifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(QuoteIdentifier(""), "\"\"");
}

TEST(Quote, Literals) {
  EXPECT_EQ(QuoteLiteral("it's"), "'it''s'");
  EXPECT_EQ(QuoteLiteral("a\\'"), "E'a\\\\'''");
  EXPECT_EQ(QuoteLiteral(""), "''");
}

}  // namespace
}  // namespace meridian
