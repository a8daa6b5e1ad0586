// Values that PostgreSQL 15 gave; hash_pgtest.cc compares thousands more with a live server.
#include "sharding/pg_hash.h"

#include <gtest/gtest.h>

#include <limits>

#include "sharding/key_value.h"

namespace meridian {
namespace {

int64_t OfText(std::string_view text) {
  return static_cast<int64_t>(HashBytesExtended(text, kHashSeed));
}

int64_t OfInt(int64_t value) { return static_cast<int64_t>(HashInt64Extended(value, kHashSeed)); }

TEST(PgHash, OfBytesOfEachKindOfTail) {
  EXPECT_EQ(OfText(""), -5700645584453517373);
  EXPECT_EQ(OfText("a"), -6705225459120232837);
  EXPECT_EQ(OfText("abcdefghijk"), -2046435308545367432);
  EXPECT_EQ(OfText("abcdefghijkl"), -7876791541613377658);
  EXPECT_EQ(OfText("abcdefghijklm"), -6785754114725280077);
  EXPECT_EQ(OfText("Straße"), 8738563647720103136);
}

TEST(PgHash, WithoutSeed) {
  EXPECT_EQ(static_cast<int64_t>(HashBytesExtended("a", 0)), 3591986179850072241);
  EXPECT_EQ(static_cast<int64_t>(HashUint32Extended(7, 0)), -3288951424994980865);
}

TEST(PgHash, OfIntegers) {
  EXPECT_EQ(OfInt(0), -4403592609991167795);
  EXPECT_EQ(OfInt(1), 5968994663651403477);
  EXPECT_EQ(OfInt(-1), -5017072347659237694);
  EXPECT_EQ(OfInt(std::numeric_limits<int64_t>::max()), 4938542303000433043);
  EXPECT_EQ(OfInt(std::numeric_limits<int64_t>::min()), -6050265599104649060);
}

TEST(PgHash, FoldsTheHighHalfAsTheServerDoes) { EXPECT_EQ(OfInt(int64_t{1} << 32), OfInt(1)); }

TEST(HashKey, IsTheServersForEachType) {
  EXPECT_EQ(HashKey(KeyType::kSmallint, int64_t{1}), OfInt(1));
  EXPECT_EQ(HashKey(KeyType::kDate, int64_t{-1}), OfInt(-1));
  EXPECT_EQ(HashKey(KeyType::kText, "a"), OfText("a"));
  EXPECT_EQ(HashKey(KeyType::kUuid,
                    *ParseKeyText(KeyType::kUuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
            424513190990560493);
}

TEST(HashSql, PutsTheColumnInParentheses) {
  EXPECT_EQ(HashSql(KeyType::kBigint, "a + b"),
            "pg_catalog.hashint8extended((a + b)::pg_catalog.int8, 8816678312871386365)");
}

}  // namespace
}  // namespace meridian
