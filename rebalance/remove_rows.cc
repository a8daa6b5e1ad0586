#include "rebalance/remove_rows.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace meridian {
namespace {

// The table, or its partitions that have rows.
absl::StatusOr<std::vector<std::string>> Parts(PgConnection& shard, const MovedTable& table) {
  auto leaves = shard.Query(
      "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n"
      " ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND (c.oid = to_regclass($1) OR c.oid IN"
      " (SELECT relid FROM pg_partition_tree(to_regclass($1)) WHERE isleaf)) ORDER BY 1",
      {{table.name.ToString()}});
  if (!leaves.ok()) return leaves.status();
  std::vector<std::string> parts;
  for (size_t r = 0; r < leaves->rows(); ++r) parts.push_back(leaves->Text(r, 0));
  return parts;
}

// Their places are read once, so that no batch looks at what others have deleted.
absl::Status RemoveFrom(PgConnection& shard, const std::string& part, const MovedTable& table,
                        absl::FunctionRef<absl::Status()> before_batch) {
  auto declared = shard.Script(
      fmt::format("DECLARE meridian_rows NO SCROLL CURSOR WITH HOLD FOR SELECT ctid FROM ONLY {} "
                  "WHERE {}",
                  part, table.condition));
  if (!declared.ok()) return declared.status();
  for (;;) {
    auto places = shard.Query(fmt::format("FETCH {} FROM meridian_rows", kRowsPerDelete));
    if (!places.ok()) return places.status();
    if (places->rows() == 0) break;
    std::string array = "{";
    for (size_t r = 0; r < places->rows(); ++r) {
      array += (r > 0 ? ",\"" : "\"") + places->Text(r, 0) + "\"";
    }
    array += "}";
    absl::Status deleted = InTransaction(shard, "BEGIN", [&]() -> absl::Status {
      if (absl::Status allowed = before_batch(); !allowed.ok()) return allowed;
      return shard
          .Query(fmt::format("DELETE FROM ONLY {} WHERE ctid = ANY($1::tid[]) AND {}", part,
                             table.condition),
                 {{array}})
          .status();
    });
    if (!deleted.ok()) return deleted;
  }
  return shard.Script("CLOSE meridian_rows").status();
}

}  // namespace

absl::Status RemoveRows(PgConnection& shard, const MovedTable& table,
                        absl::FunctionRef<absl::Status()> before_batch) {
  auto parts = Parts(shard, table);
  if (!parts.ok()) return parts.status();
  for (const std::string& part : *parts) {
    absl::Status removed = RemoveFrom(shard, part, table, before_batch);
    if (!removed.ok()) return removed;
  }
  return absl::OkStatus();
}

}  // namespace meridian
