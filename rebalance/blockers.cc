#include "rebalance/blockers.h"

#include <fmt/format.h>

#include "sharding/catalog/text_array.h"

namespace meridian {
namespace {

// Of `a`, a row of pg_stat_activity.
constexpr char kProcessSql[] =
    "format('process %s of %s, for %s s', a.pid, a.usename,"
    " coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::bigint)";
// Of `p`, a row of pg_prepared_xacts.
constexpr char kPreparedSql[] =
    "format('prepared transaction %s, for %s s', p.gid,"
    " extract(epoch FROM clock_timestamp() - p.prepared)::bigint)";
// Names of a few of them say enough.
constexpr int kNamed = 3;

// The statement's only value, of one row or none.
absl::StatusOr<std::string> Value(PgConnection& shard, const std::string& sql,
                                  const std::vector<PgParameter>& parameters = {}) {
  auto rows = shard.Query(sql, parameters);
  if (!rows.ok()) return rows.status();
  return rows->rows() == 0 ? std::string() : rows->Text(0, 0);
}

// Who holds locks of which `condition` on l, a row of pg_locks, is true. A prepared transaction has
// no process there; the lock on its own number tells which it is.
absl::StatusOr<std::string> Holders(PgConnection& shard, const std::string& condition,
                                    const std::vector<PgParameter>& parameters) {
  return Value(
      shard,
      fmt::format(
          "WITH held AS (SELECT l.pid, l.virtualtransaction FROM pg_locks l WHERE l.granted AND {})"
          " SELECT string_agg(who, '; ') FROM (SELECT who FROM ("
          "SELECT {} AS who, a.xact_start AS since FROM pg_stat_activity a"
          " WHERE a.pid <> pg_backend_pid() AND a.pid IN (SELECT pid FROM held)"
          " UNION ALL SELECT {}, p.prepared FROM pg_prepared_xacts p"
          " JOIN pg_locks own ON own.transactionid = p.transaction AND own.pid IS NULL"
          " WHERE own.virtualtransaction IN (SELECT virtualtransaction FROM held WHERE pid IS NULL)"
          ") t ORDER BY since LIMIT {}) s",
          condition, kProcessSql, kPreparedSql, kNamed),
      parameters);
}

}  // namespace

absl::StatusOr<std::string> OldestTransaction(PgConnection& shard) {
  return Value(shard, fmt::format("SELECT what FROM (SELECT {} AS what, xact_start AS since FROM"
                                  " pg_stat_activity a WHERE backend_xid IS NOT NULL AND pid <>"
                                  " pg_backend_pid() UNION ALL SELECT {}, prepared FROM"
                                  " pg_prepared_xacts p) t ORDER BY since LIMIT 1",
                                  kProcessSql, kPreparedSql));
}

absl::StatusOr<std::string> WritersOfRange(PgConnection& source, const Fence& fence) {
  return Holders(source,
                 fmt::format("l.locktype = 'advisory' AND l.objsubid = 1 AND (l.classid::bigint << "
                             "32 | l.objid::bigint) = {}",
                             FenceLockSql(fence)),
                 {});
}

absl::StatusOr<std::string> UsersOfTables(PgConnection& shard,
                                          const std::vector<TableName>& tables) {
  std::vector<std::string> names;
  for (const TableName& table : tables) names.push_back(table.ToString());
  return Holders(shard,
                 "l.locktype = 'relation' AND l.relation IN"
                 " (SELECT to_regclass(n) FROM unnest($1::text[]) n)",
                 {FormatTextArray(names)});
}

}  // namespace meridian
