#include "sharding/catalog/shard_support.h"

#include <fmt/format.h>

#include "sharding/catalog/migrations.h"

namespace meridian {
namespace {

// As sql/shard/support.sql ends. A newer binary's is left alone: it serves this one, too.
constexpr char kIsThere[] =
    "SELECT coalesce(obj_description(to_regprocedure('meridian.decide(text)'), 'pg_proc') "
    "~ '^meridian shard support [3-9]', false)";

}  // namespace

absl::Status EnsureShardSupport(PgConnection& connection) {
  auto there = connection.Query(kIsThere);
  if (!there.ok()) return there.status();
  if (there->Text(0, 0) == "t") return absl::OkStatus();
  return InTransaction(connection, "BEGIN", [&]() -> absl::Status {
    auto locked = connection.Query(
        "SELECT pg_advisory_xact_lock(hashtextextended('meridian shard support', 0))");
    if (!locked.ok()) return locked.status();
    return connection.Script(ShardSupportSql()).status();
  });
}

}  // namespace meridian
