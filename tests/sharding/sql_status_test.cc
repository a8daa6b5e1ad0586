#include "sharding/sql_status.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

TEST(SqlStatus, KeepsEveryField) {
  const SqlError error{
      .sqlstate = "42601", .message = "m", .detail = "d", .hint = "h", .position = 17};
  EXPECT_EQ(ToSqlError(ToStatus(error)), error);
}

TEST(SqlStatus, RefusalsAreFeatureNotSupported) {
  const SqlError error = ToSqlError(Refused("no", "do this"));
  EXPECT_EQ(error.sqlstate, "0A000");
  EXPECT_EQ(error.hint, "do this");
}

TEST(SqlStatus, ForeignErrorsAreInternal) {
  const SqlError error = ToSqlError(absl::InvalidArgumentError("odd"));
  EXPECT_EQ(error.sqlstate, "XX000");
  EXPECT_EQ(error.message, "odd");
}

}  // namespace
}  // namespace meridian
