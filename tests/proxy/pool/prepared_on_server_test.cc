#include <gtest/gtest.h>

#include "proxy/pool/server.h"

namespace meridian {
namespace {

TEST(PreparedOnServer, GivesUpTheLeastRecentlyUsed) {
  PreparedOnServer prepared;
  prepared.Add(1);
  prepared.Add(2);
  prepared.Add(3);
  prepared.Add(2);
  EXPECT_EQ(prepared.size(), 3u);
  EXPECT_TRUE(prepared.Touch(1));
  EXPECT_FALSE(prepared.Touch(4));
  EXPECT_EQ(prepared.LeastRecent(), 3u);
  prepared.Remove(3);
  prepared.Remove(3);
  EXPECT_EQ(prepared.LeastRecent(), 2u);
  prepared.Clear();
  EXPECT_EQ(prepared.size(), 0u);
}

}  // namespace
}  // namespace meridian
