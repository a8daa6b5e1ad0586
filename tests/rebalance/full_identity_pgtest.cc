// REPLICA IDENTITY FULL for the time of a move.
#include "rebalance/full_identity.h"

#include "tests/rebalance/stream/slice_fixture.h"

namespace meridian::slice_test {
namespace {

class FullIdentity : public SliceTest {};

TEST_F(FullIdentity, IsGivenBackByTheLastWhoNeedsIt) {
  AtSource().Query(
      "CREATE TABLE t (k bigint NOT NULL, i int NOT NULL) PARTITION BY RANGE (k);"
      "CREATE TABLE \"t 1\" PARTITION OF t FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);"
      "CREATE UNIQUE INDEX \"by i\" ON \"t 1\" (i);"
      "ALTER TABLE \"t 1\" REPLICA IDENTITY USING INDEX \"by i\";"
      "ALTER TABLE t2 REPLICA IDENTITY NOTHING;"
      "CREATE TABLE own (k bigint NOT NULL); ALTER TABLE own REPLICA IDENTITY FULL");
  auto connection = *OpenForRows(source_);
  const auto identities = [&] {
    return AtSource().Value(
        "SELECT string_agg(relname || relreplident::text, ' ' ORDER BY relname) FROM pg_class"
        " WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace");
  };
  const auto set = [&](const std::string& owner, const std::string& table) {
    return SetFullIdentity(connection, owner, {"public", table}, milliseconds(100));
  };
  const std::string before = identities();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(set("one", "t").ok());
  EXPECT_TRUE(set("two", "t").ok());
  EXPECT_TRUE(set("two", "own").ok());
  EXPECT_EQ(identities(), "ownf tf t 1f t2f");
  EXPECT_TRUE(RestoreIdentity(connection, "one", milliseconds(100)).ok());
  EXPECT_EQ(identities(), "ownf tf t 1f t2f");
  auto writer = AtSource();
  writer.Query("BEGIN; INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(State(RestoreIdentity(connection, "two", milliseconds(100))), "55P03");
  EXPECT_EQ(identities(), "ownf tf t 1f t2f");
  writer.Query("COMMIT");
  EXPECT_TRUE(RestoreIdentity(connection, "two", milliseconds(100)).ok());
  EXPECT_EQ(identities(), before);
  EXPECT_EQ(AtSource().Value("SELECT count(*) FROM meridian.replica_identities"), "0");
  // What is gone, or was changed meanwhile, stays so.
  EXPECT_TRUE(set("one", "t").ok());
  AtSource().Query("DROP INDEX \"by i\"; ALTER TABLE t2 REPLICA IDENTITY DEFAULT;");
  EXPECT_TRUE(RestoreIdentity(connection, "one", milliseconds(100)).ok());
  EXPECT_EQ(identities(), "ownf td t 1d t2d");
}

}  // namespace
}  // namespace meridian::slice_test
