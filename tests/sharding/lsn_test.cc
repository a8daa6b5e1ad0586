#include "sharding/lsn.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

TEST(Lsn, ThereAndBack) {
  for (const Lsn lsn : {Lsn{0}, Lsn{1}, Lsn{0x16B374D848}, Lsn{0xffffffff}, ~Lsn{0}}) {
    EXPECT_EQ(ParseLsn(LsnText(lsn)), lsn);
  }
  EXPECT_EQ(LsnText(0x16B374D848), "16/B374D848");
  EXPECT_EQ(ParseLsn("0/a"), Lsn{10});
}

TEST(Lsn, OthersAreNone) {
  for (const char* const text :
       {"", "/", "16", "16/", "/1", "1/2/3", " 1/2", "1/2 ", "-1/2", "100000000/0", "0/g"}) {
    EXPECT_EQ(ParseLsn(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace meridian
