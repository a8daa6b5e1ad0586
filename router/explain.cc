// EXPLAIN ROUTE: the reasons of a decision.
#include <fmt/format.h>

#include "router/copy/copy_spec.h"
#include "router/plan/program.h"
#include "router/router.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

std::string ShardNames(const ShardMap& map, const ShardSet& shards) {
  std::string names;
  shards.ForEach([&](ShardIndex shard) {
    if (!names.empty()) names += ", ";
    names += map.shard(shard).name;
  });
  return names.empty() ? "no shard" : names;
}

}  // namespace

std::vector<std::string> Router::Explain(const Statement& statement, const Values& values,
                                         const RouteHints& hints) const {
  const RouteProgram& program = *statement.route;
  std::vector<std::string> lines;
  const absl::StatusOr<Decision> decision = Decide(statement, values, hints);
  if (decision.ok()) {
    lines.push_back(fmt::format("route: {} ({})", RouteName(decision->route),
                                ShardNames(*map_, decision->shards)));
  } else {
    const SqlError error = ToSqlError(decision.status());
    lines.push_back(fmt::format("refused: {} ({})", error.message, error.sqlstate));
    if (!error.hint.empty()) lines.push_back(fmt::format("hint: {}", error.hint));
  }
  if (hints.shard.has_value()) {
    lines.push_back(fmt::format("the session chose shard {}", map_->shard(*hints.shard).name));
  }
  for (const ShardedReference& reference : program.references) {
    const Distribution& distribution = map_->distributions()[reference.distribution];
    if (distribution.ranges().empty()) continue;
    const auto owners =
        Owners(reference.keys, distribution, values, program.standard_conforming_strings);
    lines.push_back(fmt::format(
        "table {} (distribution {}): {}{}", reference.table.ToString(), distribution.name(),
        reference.keys.is_all() ? "no condition on its key: " : "by its key: ",
        owners.has_value() ? ShardNames(*map_, *owners) : "a value that the server refuses"));
  }
  if (program.insert.has_value()) {
    lines.push_back(fmt::format("rows for table {}: {}", program.insert->table.ToString(),
                                program.insert->keys.size()));
  }
  if (program.needs_default_shard) {
    lines.push_back(fmt::format("{}: on the default shard {}", program.default_shard_object,
                                map_->shard(ShardMap::kDefaultShard).name));
  }
  if (!program.written_reference_table.empty()) {
    lines.push_back(
        fmt::format("reference table {}: written on every shard", program.written_reference_table));
  }
  if (!program.unknown_function.empty()) {
    lines.push_back(fmt::format("function {}: may read any table", program.unknown_function));
  }
  return lines;
}

}  // namespace meridian
