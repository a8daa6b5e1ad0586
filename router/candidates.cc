// Which shards may serve a Parse or Describe whose Bind has not come yet.
#include "router/copy/copy_spec.h"
#include "router/plan/program.h"
#include "router/router.h"

namespace meridian {

ShardSet Router::Candidates(const Statement& statement, const RouteHints& hints) const {
  const RouteProgram& program = *statement.route;
  if (hints.shard.has_value()) return ShardSet::Of(*hints.shard);
  if (program.needs_default_shard) return ShardSet::Of(ShardMap::kDefaultShard);
  ShardSet owners;
  for (const ShardedReference& reference : program.references) {
    owners.Add(map_->distributions()[reference.distribution].AllOwners());
  }
  if (program.insert.has_value()) {
    owners.Add(map_->distributions()[program.insert->distribution].AllOwners());
  }
  return owners.empty() ? map_->AllShards() : owners;
}

}  // namespace meridian
