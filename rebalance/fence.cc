#include "rebalance/fence.h"

#include <fmt/format.h>

#include "rebalance/stream/follower.h"
#include "sharding/quote.h"
#include "sharding/range_sql.h"

namespace meridian {
namespace {

// Runs only where a trigger's WHEN has found a row of the range, or for TRUNCATE.
constexpr char kFunction[] = R"(
CREATE OR REPLACE FUNCTION meridian.refuse_write() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'key range "%" is no longer on this shard', TG_ARGV[0]
    USING ERRCODE = 'M0002', DETAIL = format('It moves to shard "%s".', TG_ARGV[1]),
          HINT = 'Connect through Meridian, which knows where it is.';
END $$)";

constexpr std::string_view kEvents[] = {"insert", "update", "delete", "truncate"};

std::string TriggerName(const Fence& fence, std::string_view event) {
  return QuoteIdentifier(fmt::format("{}_{}", fence.name, event));
}

std::string When(const FencedTable& table, std::string_view event) {
  if (event == "insert") return fmt::format("WHEN ({})", table.new_condition);
  if (event == "delete") return fmt::format("WHEN ({})", table.old_condition);
  return fmt::format("WHEN ({} OR {})", table.old_condition, table.new_condition);
}

std::string CreateSql(const Fence& fence, const FencedTable& table, std::string_view event) {
  const bool rows = event != "truncate";
  return fmt::format(
      "CREATE TRIGGER {} BEFORE {} ON {} FOR EACH {} {} EXECUTE FUNCTION"
      " meridian.refuse_write({}, {});",
      TriggerName(fence, event), event, table.name.ToString(), rows ? "ROW" : "STATEMENT",
      rows ? When(table, event) : "", QuoteLiteral(fence.range), QuoteLiteral(fence.new_owner));
}

std::string DropSql(const Fence& fence) {
  std::string sql;
  for (const FencedTable& table : fence.tables) {
    for (const std::string_view event : kEvents) {
      sql += fmt::format("DROP TRIGGER IF EXISTS {} ON {};", TriggerName(fence, event),
                         table.name.ToString());
    }
  }
  return sql;
}

std::string LimitSql(std::chrono::milliseconds lock_timeout) {
  return fmt::format("SET LOCAL lock_timeout = {};", lock_timeout.count());
}

}  // namespace

FencedTable FenceOf(const MappedTable& table, const Distribution& distribution, size_t range) {
  std::vector<std::string> old_row, new_row;
  for (const std::string& key : table.key_columns) {
    old_row.push_back("OLD." + QuoteIdentifier(key));
    new_row.push_back("NEW." + QuoteIdentifier(key));
  }
  return {table.name, RangeSql(distribution, range, old_row),
          RangeSql(distribution, range, new_row)};
}

absl::Status ArmFence(PgConnection& source, const Fence& fence, std::string_view barrier,
                      std::chrono::milliseconds lock_timeout) {
  return InTransaction(source, "BEGIN", [&]() -> absl::Status {
    std::string sql = LimitSql(lock_timeout) + kFunction + ";" + DropSql(fence);
    for (const FencedTable& table : fence.tables) {
      for (const std::string_view event : kEvents) sql += CreateSql(fence, table, event);
    }
    if (auto armed = source.Script(sql); !armed.ok()) return armed.status();
    return source
        .Query("SELECT pg_logical_emit_message(true, $1, $2)",
               {{std::string(kMessagePrefix), std::string(barrier)}})
        .status();
  });
}

absl::Status DropFence(PgConnection& source, const Fence& fence,
                       std::chrono::milliseconds lock_timeout) {
  return InTransaction(source, "BEGIN", [&] {
    return source.Script(LimitSql(lock_timeout) + DropSql(fence)).status();
  });
}

}  // namespace meridian
