#include <fmt/format.h>

#include "router/plan/decide.h"
#include "router/plan/stored_key.h"
#include "sharding/sql_status.h"

namespace meridian {
absl::StatusOr<std::optional<std::vector<ShardSet>>> ShardsOfRows(const InsertRows& insert,
                                                                  const RouteProgram& program,
                                                                  const ShardMap& map,
                                                                  const Values& values) {
  const Distribution& distribution = map.distributions()[insert.distribution];
  if (distribution.ranges().empty()) {
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                     fmt::format("distribution \"{}\" has no key range", distribution.name()),
                     "Create one with CREATE KEY RANGE in the admin database.");
  }
  std::vector<ShardSet> shards;
  shards.reserve(insert.keys.size());
  KeyTuple point;
  bool server_error = false;
  for (const auto& key : insert.keys) {
    point.clear();
    for (size_t i = 0; i < key.size(); ++i) {
      const KeyType type = distribution.columns()[i].type;
      OperandValue value = ReadOperand(key[i], type, values, program.standard_conforming_strings);
      const absl::Status stored =
          CheckStoredKey(value, type, insert.modifiers[i], insert.table, insert.key_columns[i]);
      if (!stored.ok()) return stored;
      if (value.kind == OperandValue::Kind::kServerError) {
        server_error = true;
        continue;
      }
      point.push_back(distribution.ToSpace(i, std::move(value.value)));
    }
    if (!server_error) shards.push_back(distribution.Locate(point).Owner());
  }
  if (server_error) return std::optional<std::vector<ShardSet>>();
  return std::optional(std::move(shards));
}

}  // namespace meridian
