#include "proxy/session/causality_token.h"

#include <gtest/gtest.h>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

TEST(CausalityToken, IsReadAsItWasWritten) {
  for (const std::vector<CausalPosition>& positions :
       {std::vector<CausalPosition>{},
        {{"s1", 1}},
        {{"s1", 0xABCDEF12345678}, {"s 2", 700}},
        {{"odd,name%@/=", UINT64_MAX}, {"%2C", 0}}}) {
    const std::string token = FormatCausalityToken(positions);
    const auto read = ParseCausalityToken(token);
    ASSERT_TRUE(read.ok()) << token;
    EXPECT_EQ(*read, positions) << token;
  }
  EXPECT_EQ(FormatCausalityToken({{"s1", 0x3000060}, {"s2", 0x1600000000}}),
            "0/3000060@s1,16/0@s2");
}

TEST(CausalityToken, OtherTextIsRefused) {
  for (const char* bad : {"x", "0/1", "@s1", "0/1@", "/1@s1", "0/@s1", "0/1@s1,", ",0/1@s1",
                          "0/1@s1,,0/2@s2", "0/G@s1", "0/123456789@s1", "-1/1@s1", "0/1@s%",
                          "0/1@s%2", "0/1@s%41", " 0/1@s1", "0x1/1@s1"}) {
    const auto read = ParseCausalityToken(bad);
    ASSERT_FALSE(read.ok()) << bad;
    EXPECT_EQ(ToSqlError(read.status()).sqlstate, "22023");
  }
  std::string endless;
  for (int i = 0; i < 10'000; ++i) endless += "0/1@s,";
  EXPECT_FALSE(ParseCausalityToken(endless + "0/1@s").ok());
}

}  // namespace
}  // namespace meridian
