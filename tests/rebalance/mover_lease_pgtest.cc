// What a mover does about those before it, on a real server.
#include "rebalance/mover_lease.h"

#include <csignal>

#include "sharding/catalog/shard_support.h"
#include "tests/rebalance/stream/slice_fixture.h"

namespace meridian::slice_test {
namespace {

class MoverLeaseTest : public SliceTest {};

TEST_F(MoverLeaseTest, NothingBeginsBeforeOthersHaveEnded) {
  source_.application_name = MoverApplicationName(1, false);
  auto other = *PgConnection::Connect(source_);
  auto mover = *PgConnection::Connect(source_);
  ASSERT_TRUE(EnsureShardSupport(mover).ok());
  const int process = other.backend_pid();
  ASSERT_EQ(kill(process, SIGSTOP), 0);
  EXPECT_EQ(State(EndOtherMovers(mover, 1)), "55006");
  ASSERT_EQ(kill(process, SIGCONT), 0);
  EXPECT_TRUE(EndOtherMovers(mover, 1).ok());
  EXPECT_FALSE(other.Query("SELECT 1").ok());
  EXPECT_TRUE(mover.Query("SELECT 1").ok());
}

}  // namespace
}  // namespace meridian::slice_test
