#include "router/plan/refusal.h"

#include <fmt/format.h>

#include "sharding/sql_status.h"

namespace meridian {

std::string KeyHint(const MappedTable& table) {
  std::string condition;
  for (const std::string& column : table.key_columns) {
    if (!condition.empty()) condition += " AND ";
    condition += QuoteIdentifier(column) + " = ...";
  }
  return fmt::format(
      "Restrict {} to one shard (WHERE {}), or choose a shard with SET meridian.shard.",
      table.name.ToString(), condition);
}

absl::Status RefuseSeveralShards(std::string_view reason, const MappedTable* table) {
  return Refused(fmt::format("this statement needs several shards and {}", reason),
                 table == nullptr ? "Choose a shard with SET meridian.shard." : KeyHint(*table));
}

}  // namespace meridian
