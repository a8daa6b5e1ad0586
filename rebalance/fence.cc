#include "rebalance/fence.h"

#include <fmt/format.h>

#include "rebalance/stream/follower.h"
#include "sharding/quote.h"
#include "sharding/range_sql.h"

namespace meridian {
namespace {

// What the fence's sequence says.
constexpr int kOpen = 1;
constexpr int kArmed = 2;

constexpr std::string_view kEvents[] = {"insert", "update", "delete", "truncate"};

std::string Object(const Fence& fence) { return "meridian." + QuoteIdentifier(fence.name); }

// Runs only where a trigger's WHEN has found a row of the range, or for TRUNCATE.
std::string FunctionSql(const Fence& fence) {
  return fmt::format(
      R"(
CREATE OR REPLACE FUNCTION {}() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fence$
DECLARE
  state bigint;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'key range "%" of table "%" is on the move', {}, TG_TABLE_NAME
      USING ERRCODE = 'object_in_use', HINT = 'Wait until it has moved, or cancel the move.';
  END IF;
  PERFORM pg_advisory_xact_lock_shared({});
  SELECT last_value INTO state FROM {};
  IF state = {} THEN
    RAISE EXCEPTION 'key range "%" is no longer on this shard', {}
      USING ERRCODE = 'M0002', DETAIL = format('It moves to shard "%s".', {}),
            HINT = 'Connect through Meridian, which knows where it is.';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $fence$;)",
      Object(fence), QuoteLiteral(fence.range), FenceLockSql(fence), Object(fence), kArmed,
      QuoteLiteral(fence.range), QuoteLiteral(fence.new_owner));
}

std::string TriggerName(const Fence& fence, std::string_view event) {
  return QuoteIdentifier(fmt::format("{}_{}", fence.name, event));
}

std::string When(const FencedTable& table, std::string_view event) {
  if (event == "insert") return fmt::format("WHEN ({})", table.new_condition);
  if (event == "delete") return fmt::format("WHEN ({})", table.old_condition);
  return fmt::format("WHEN ({} OR {})", table.old_condition, table.new_condition);
}

std::string CreateTriggersSql(const Fence& fence, const FencedTable& table) {
  std::string sql;
  for (const std::string_view event : kEvents) {
    const bool rows = event != "truncate";
    sql += fmt::format(
        "CREATE OR REPLACE TRIGGER {} BEFORE {} ON {} FOR EACH {} {}"
        " EXECUTE FUNCTION {}();",
        TriggerName(fence, event), event, table.name.ToString(), rows ? "ROW" : "STATEMENT",
        rows ? When(table, event) : "", Object(fence));
  }
  return sql;
}

std::string DropTriggersSql(const Fence& fence, const FencedTable& table) {
  std::string sql;
  for (const std::string_view event : kEvents) {
    sql += fmt::format("DROP TRIGGER IF EXISTS {} ON {};", TriggerName(fence, event),
                       table.name.ToString());
  }
  return sql;
}

absl::Status RunLimited(PgConnection& source, std::chrono::milliseconds lock_timeout,
                        const std::string& sql) {
  return InTransaction(source, "BEGIN", [&] {
    return source.Script(fmt::format("SET LOCAL lock_timeout = {};", lock_timeout.count()) + sql)
        .status();
  });
}

absl::Status SetState(PgConnection& source, const Fence& fence, int state) {
  return source
      .Query("SELECT setval(s, $2) FROM to_regclass($1) s WHERE s IS NOT NULL",
             {{Object(fence)}, {std::to_string(state)}})
      .status();
}

// How much of the fence stands on the table.
enum class Standing { kNothing, kSome, kAll };
absl::StatusOr<Standing> StandingOn(PgConnection& source, const Fence& fence,
                                    const FencedTable& table) {
  auto count = source.Query(
      "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass($1) AND starts_with(tgname, $2)",
      {{table.name.ToString()}, {fence.name + "_"}});
  if (!count.ok()) return count.status();
  if (count->Text(0, 0) == "0") return Standing::kNothing;
  return count->Text(0, 0) == std::to_string(std::size(kEvents)) ? Standing::kAll : Standing::kSome;
}

}  // namespace

std::string FenceLockSql(const Fence& fence) {
  return fmt::format("hashtextextended('meridian fence {}', 0)", fence.name);
}

FencedTable FenceOf(const MappedTable& table, const Distribution& distribution, size_t range) {
  std::vector<std::string> old_row, new_row;
  for (const std::string& key : table.key_columns) {
    old_row.push_back("OLD." + QuoteIdentifier(key));
    new_row.push_back("NEW." + QuoteIdentifier(key));
  }
  return {table.name, RangeSql(distribution, range, old_row),
          RangeSql(distribution, range, new_row)};
}

absl::Status RaiseFence(PgConnection& source, const Fence& fence,
                        std::chrono::milliseconds lock_timeout) {
  const std::string object = Object(fence);
  absl::Status made = RunLimited(
      source, lock_timeout,
      fmt::format("CREATE SEQUENCE IF NOT EXISTS {}; GRANT SELECT ON SEQUENCE {} TO PUBLIC;"
                  "SELECT setval('{}', {});",
                  object, object, object, kOpen) +
          FunctionSql(fence));
  for (const FencedTable& table : fence.tables) {
    if (!made.ok()) return made;
    auto standing = StandingOn(source, fence, table);
    if (!standing.ok()) return standing.status();
    if (*standing != Standing::kAll)
      made = RunLimited(source, lock_timeout, CreateTriggersSql(fence, table));
  }
  return made;
}

absl::Status ArmFence(PgConnection& source, const Fence& fence, std::string_view barrier,
                      std::chrono::milliseconds lock_timeout,
                      absl::FunctionRef<absl::Status()> before) {
  return InTransaction(source, "BEGIN", [&]() -> absl::Status {
    if (absl::Status ready = before(); !ready.ok()) return ready;
    auto locked =
        source.Script(fmt::format("SET LOCAL lock_timeout = {}; SELECT pg_advisory_xact_lock({})",
                                  lock_timeout.count(), FenceLockSql(fence)));
    if (!locked.ok()) return locked.status();
    return source
        .Query(fmt::format("SELECT setval('{}', {}), pg_logical_emit_message(true, $1, $2)",
                           Object(fence), kArmed),
               {{std::string(kMessagePrefix)}, {std::string(barrier)}})
        .status();
  });
}

absl::Status OpenFence(PgConnection& source, const Fence& fence) {
  return SetState(source, fence, kOpen);
}

absl::Status CloseFence(PgConnection& source, const Fence& fence) {
  return SetState(source, fence, kArmed);
}

absl::Status DropFence(PgConnection& source, const Fence& fence,
                       std::chrono::milliseconds lock_timeout) {
  for (const FencedTable& table : fence.tables) {
    auto standing = StandingOn(source, fence, table);
    if (!standing.ok()) return standing.status();
    if (*standing == Standing::kNothing) continue;  // its lock would be waited for in vain
    absl::Status dropped = RunLimited(source, lock_timeout, DropTriggersSql(fence, table));
    if (!dropped.ok()) return dropped;
  }
  return RunLimited(source, lock_timeout,
                    fmt::format("DROP FUNCTION IF EXISTS {}(); DROP SEQUENCE IF EXISTS {};",
                                Object(fence), Object(fence)));
}

}  // namespace meridian
