#include "rebalance/full_identity.h"

#include <fmt/format.h>

namespace meridian {
namespace {

// One at a time: they look at each other's records.
absl::Status Lock(PgConnection& shard, std::chrono::milliseconds lock_timeout) {
  return shard
      .Script(fmt::format("SET LOCAL lock_timeout = {}; LOCK TABLE meridian.replica_identities IN"
                          " SHARE ROW EXCLUSIVE MODE",
                          lock_timeout.count()))
      .status();
}

// Another owner's record tells what was there before it.
constexpr char kRecordSql[] = R"(
INSERT INTO meridian.replica_identities (owner, relation, identity, index)
SELECT $1, c.oid, coalesce(o.identity, c.relreplident),
       CASE WHEN o.identity IS NULL THEN i.indexrelid ELSE o.index END
FROM (SELECT to_regclass($2) AS relid UNION SELECT relid FROM pg_partition_tree(to_regclass($2))) t
JOIN pg_class c ON c.oid = t.relid
LEFT JOIN LATERAL (SELECT identity, index FROM meridian.replica_identities
                   WHERE relation = c.oid LIMIT 1) o ON true
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident
WHERE c.relreplident <> 'f' OR o.identity IS NOT NULL
ON CONFLICT DO NOTHING)";

constexpr char kToChangeSql[] =
    "SELECT c.oid::regclass FROM meridian.replica_identities r JOIN pg_class c ON c.oid = "
    "r.relation"
    " WHERE r.owner = $1 AND c.relreplident <> 'f'";

// What nobody else needs, as it was. An index that is gone is none.
constexpr char kToRestoreSql[] = R"(
SELECT c.oid::regclass, CASE WHEN r.identity = 'n' THEN 'NOTHING'
                             WHEN x.oid IS NOT NULL THEN format('USING INDEX %I', x.relname)
                             ELSE 'DEFAULT' END
FROM meridian.replica_identities r
JOIN pg_class c ON c.oid = r.relation AND c.relreplident = 'f'
LEFT JOIN pg_class x ON x.oid = r.index
WHERE r.owner = $1 AND NOT EXISTS (
  SELECT FROM meridian.replica_identities o WHERE o.relation = r.relation AND o.owner <> $1))";

absl::Status Alter(PgConnection& shard, const std::string& table, const std::string& identity) {
  return shard.Script(fmt::format("ALTER TABLE {} REPLICA IDENTITY {}", table, identity)).status();
}

}  // namespace

absl::Status SetFullIdentity(PgConnection& shard, const std::string& owner, const TableName& table,
                             std::chrono::milliseconds lock_timeout) {
  return InTransaction(shard, "BEGIN", [&]() -> absl::Status {
    if (absl::Status locked = Lock(shard, lock_timeout); !locked.ok()) return locked;
    const auto recorded = shard.Query(kRecordSql, {{owner}, {table.ToString()}});
    if (!recorded.ok()) return recorded.status();
    const auto tables = shard.Query(kToChangeSql, {{owner}});
    if (!tables.ok()) return tables.status();
    for (size_t r = 0; r < tables->rows(); ++r) {
      absl::Status altered = Alter(shard, tables->Text(r, 0), "FULL");
      if (!altered.ok()) return altered;
    }
    return absl::OkStatus();
  });
}

absl::Status RestoreIdentity(PgConnection& shard, const std::string& owner,
                             std::chrono::milliseconds lock_timeout) {
  return InTransaction(shard, "BEGIN", [&]() -> absl::Status {
    if (absl::Status locked = Lock(shard, lock_timeout); !locked.ok()) return locked;
    const auto tables = shard.Query(kToRestoreSql, {{owner}});
    if (!tables.ok()) return tables.status();
    for (size_t r = 0; r < tables->rows(); ++r) {
      absl::Status altered = Alter(shard, tables->Text(r, 0), tables->Text(r, 1));
      if (!altered.ok()) return altered;
    }
    return shard.Query("DELETE FROM meridian.replica_identities WHERE owner = $1", {{owner}})
        .status();
  });
}

}  // namespace meridian
