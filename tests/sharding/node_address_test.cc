#include <gtest/gtest.h>

#include "sharding/shard_map.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

TEST(NodeAddress, Reads) {
  const struct {
    const char* text;
    const char* host;
    uint16_t port;
  } cases[] = {{"db1:5433", "db1", 5433},
               {"db-1.example_x.org", "db-1.example_x.org", 5432},
               {"127.0.0.1:1", "127.0.0.1", 1},
               {"[::1]:65535", "::1", 65535},
               {"[fe80::1%eth0]", "fe80::1%eth0", 5432},
               {"/var/run/postgresql:5432", "/var/run/postgresql", 5432},
               {"/tmp/a b", "/tmp/a b", 5432}};
  for (const auto& c : cases) {
    const auto address = ParseNodeAddress(c.text);
    ASSERT_TRUE(address.ok()) << c.text << address.status();
    EXPECT_EQ(address->host, c.host);
    EXPECT_EQ(address->port, c.port);
    EXPECT_EQ(*ParseNodeAddress(address->ToString()), *address);
  }
}

TEST(NodeAddress, RefusesTheRest) {
  for (const std::string& text : {std::string(),
                                  std::string(":5432"),
                                  std::string("db:"),
                                  std::string("db:0"),
                                  std::string("db:65536"),
                                  std::string("db:99999999999"),
                                  std::string("db:x"),
                                  std::string("db:+1"),
                                  std::string("db: 1"),
                                  std::string("::1"),
                                  std::string("::1:5432"),
                                  std::string("[::1"),
                                  std::string("[]:5432"),
                                  std::string("[db]:5432"),
                                  std::string("[::1]x"),
                                  std::string("a b:5432"),
                                  std::string("db,db2:5432"),
                                  std::string("host='x'"),
                                  std::string("/tmp,/var:5432"),
                                  std::string("db\0:1", 5),
                                  std::string("d\xC3\xA9:1"),
                                  std::string(300, 'a')}) {
    const auto address = ParseNodeAddress(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(ToSqlError(address.status()).sqlstate, "22023");
    EXPECT_FALSE(ToSqlError(address.status()).hint.empty());
  }
}

}  // namespace
}  // namespace meridian
