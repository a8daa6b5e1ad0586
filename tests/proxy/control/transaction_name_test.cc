#include "proxy/control/transaction_name.h"

#include <gtest/gtest.h>

#include <limits>

namespace meridian {
namespace {

constexpr char kProxy[] = "0123456789abcdef";  // as Proxy::instance() is
constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

TEST(TransactionName, IsReadAsItWasWritten) {
  for (const std::string shard : {"s1", "a_b", "_", "__", "1", "meridian_x_1_2_s1", "Shard", "s 1",
                                  "s'1", "s\\1", "größe", "#", "a-b", "s1\n"}) {
    for (const uint64_t number : {uint64_t{0}, uint64_t{17}, kMax}) {
      const TransactionName name{kProxy, number, kMax - number, ShardToken(shard)};
      const auto read = ParseTransactionName(name.ToString());
      ASSERT_TRUE(read) << name.ToString();
      EXPECT_EQ(read->proxy, kProxy);
      EXPECT_EQ(read->worker, number);
      EXPECT_EQ(read->number, kMax - number);
      EXPECT_EQ(read->lead, ShardToken(shard));
    }
  }
  EXPECT_EQ((TransactionName{kProxy, 3, 12, "s1"}.ToString()), "meridian_0123456789abcdef_3_12_s1");
}

// What stands in PREPARE TRANSACTION '...', and in an array of names.
TEST(TransactionName, FitsAndNeedsNoEscape) {
  for (const std::string& shard : {std::string("s1"), std::string(63, 'x'), std::string(64, 'x'),
                                   std::string(5'000, '\''), std::string("},\\\"'{")}) {
    const std::string name = TransactionName{kProxy, kMax, kMax, ShardToken(shard)}.ToString();
    EXPECT_LE(name.size(), 199u);
    EXPECT_EQ(name.find_first_of("'\\\"{}, \t\n"), std::string::npos) << name;
  }
}

TEST(ShardToken, TellsShardsApart) {
  EXPECT_EQ(ShardToken("shard_1"), "shard_1");
  EXPECT_EQ(ShardToken(std::string(63, 'x')), std::string(63, 'x'));
  EXPECT_EQ(ShardToken("Shard"), ShardToken("Shard"));
  EXPECT_NE(ShardToken("Shard"), ShardToken("shard"));
  EXPECT_NE(ShardToken(std::string(64, 'x')), ShardToken(std::string(65, 'x')));
  // No shard's own name is another one's hash.
  EXPECT_NE(ShardToken(ShardToken("Shard")), ShardToken("Shard"));
  EXPECT_EQ(ShardToken("Shard").size(), 17u);
}

TEST(TransactionName, OfOthersIsNotOurs) {
  for (const char* name : {"",
                           "meridian",
                           "meridian_",
                           "meridian_abc",
                           "meridian_abc_1",
                           "meridian_abc_1_2",
                           "meridian_abc_1_2_",
                           "meridian__1_2_s1",
                           "meridian_abc__2_s1",
                           "meridian_abc_1__s1",
                           "meridian_abc_x_2_s1",
                           "meridian_abc_1_x_s1",
                           "meridian_abc_-1_2_s1",
                           "meridian_abc_+1_2_s1",
                           "meridian_abc_ 1_2_s1",
                           "meridian_abc_1x_2_s1",
                           "meridian_abc_18446744073709551616_2_s1",
                           "Meridian_abc_1_2_s1",
                           " meridian_abc_1_2_s1",
                           "meridianXabc_1_2_s1",
                           "my_transaction",
                           "1"}) {
    EXPECT_FALSE(ParseTransactionName(name)) << name;
  }
}

}  // namespace
}  // namespace meridian
