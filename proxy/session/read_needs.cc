#include "proxy/session/read_needs.h"

#include <algorithm>
#include <utility>

namespace meridian {

ReadNeeds::Need* ReadNeeds::Find(ShardIndex shard) {
  for (Need& need : needs_) {
    if (need.shard == shard) return &need;
  }
  return nullptr;
}

ReadNeeds::Need& ReadNeeds::Of(ShardIndex shard) {
  if (Need* const found = Find(shard)) return *found;
  needs_.push_back({.shard = shard, .pending = {}});
  return needs_.back();
}

void ReadNeeds::NotePrimary(ShardIndex shard, const ShardNodes& nodes) {
  Need& need = Of(shard);
  const NodeState* const primary = nodes.Primary();
  need.pending = primary == nullptr ? nullptr : primary->samples;
  need.unknown = need.pending == nullptr;
  need.primary = true;
  need.after = need.unknown ? 0 : need.pending->started();
}

// What was needed before, the replica has: else it would not have been read.
void ReadNeeds::NoteReplica(ShardIndex shard, std::shared_ptr<const NodeSamples> replica,
                            uint64_t server) {
  Need& need = Of(shard);
  need.after = replica->started();
  need.pending = std::move(replica);
  need.primary = need.unknown = false;
  need.server = server;
}

void ReadNeeds::Require(ShardIndex shard, Lsn lsn) {
  Need& need = Of(shard);
  need.lsn = std::max(need.lsn, lsn);
}

// A node that is not used any more will not tell: the primary has all that it had, and says so with
// its next sample.
void ReadNeeds::Resolve(Need& need, const ShardNodes& nodes) {
  const NodeState* const primary = nodes.Primary();
  if (need.pending != nullptr) {
    const NodeSamples::Sample sample =
        need.primary ? need.pending->as_primary() : need.pending->as_replica();
    if (sample.number > need.after) {
      need.lsn = std::max(need.lsn, sample.lsn);
      need.pending = nullptr;
      return;
    }
    const bool tells =
        need.primary ? primary != nullptr && primary->samples == need.pending
                     : std::any_of(nodes.replicas.begin(), nodes.replicas.end(), [&](size_t i) {
                         return nodes.nodes[i].samples == need.pending;
                       });
    if (tells) return;
  } else if (!need.unknown) {
    return;
  }
  if (primary == nullptr || primary->samples == nullptr) return;
  need.pending = primary->samples;
  need.primary = true;
  need.unknown = false;
  need.after = need.pending->started();
}

bool ReadNeeds::Met(ShardIndex shard, const ShardNodes& nodes, const NodeSamples& replica,
                    uint64_t server, uint64_t connected) {
  Need* const need = Find(shard);
  if (need == nullptr) return true;
  Resolve(*need, nodes);
  if (need->unknown) return false;
  // The same server as when it was read, if the connection is as old.
  const bool same = need->pending.get() == &replica && !need->primary &&
                    (need->server == server || connected < need->after);
  if (need->pending != nullptr && !same) return false;
  const NodeSamples::Sample sample = replica.as_replica();
  return need->lsn == 0 || (sample.number > connected && sample.lsn >= need->lsn);
}

bool ReadNeeds::PositionOf(ShardIndex shard, const ShardNodes& nodes, Lsn* lsn) {
  Need* const need = Find(shard);
  *lsn = 0;
  if (need == nullptr) return true;
  Resolve(*need, nodes);
  *lsn = need->lsn;
  return need->pending == nullptr && !need->unknown;
}

void ReadNeeds::OnMapChanged(const ShardMap& before, const ShardMap& after) {
  std::erase_if(needs_, [&](Need& need) {
    if (need.shard.value >= before.shards().size()) return true;
    const auto found = after.FindShard(before.shard(need.shard).name);
    if (found) need.shard = *found;
    return !found.has_value();
  });
}

}  // namespace meridian
