// What a session must find where it reads: of each shard, what it has written itself and, in
// monotonic, what it has seen. Kept as a position in the shard's log once a sample tells it.
//
// Pure, one thread. See docs/replicas.md for what is promised.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/control/node_states.h"
#include "sharding/shard_map.h"

namespace meridian {

class ReadNeeds {
 public:
  // The session has written on the shard, and the primary has answered; or it has read there.
  void NotePrimary(ShardIndex shard, const ShardNodes& nodes);
  // It has read on the replica, over the connection `server`.
  void NoteReplica(ShardIndex shard, std::shared_ptr<const NodeSamples> replica, uint64_t server);
  // It must find what lies before `lsn` (a causality token).
  void Require(ShardIndex shard, Lsn lsn);

  // Whether a read on the replica finds it all. `server`, `connected`: the connection, and
  // NodeSamples::started() when it was first used; a server that was restarted may have gone back,
  // so that samples from before say nothing about the connection. `connected` 0: any connection.
  bool Met(ShardIndex shard, const ShardNodes& nodes, const NodeSamples& replica, uint64_t server,
           uint64_t connected);

  // Where the shard's log must have come to. False: the sample that will tell has not come yet.
  bool PositionOf(ShardIndex shard, const ShardNodes& nodes, Lsn* lsn);

  void OnMapChanged(const ShardMap& before, const ShardMap& after);

 private:
  struct Need {
    ShardIndex shard;
    Lsn lsn = 0;
    // A sample of this node with a number above `after` is to raise lsn; null: nothing is to come,
    // unless no primary was known.
    std::shared_ptr<const NodeSamples> pending;
    bool primary = true;   // what pending is asked as
    bool unknown = false;  // no primary was known then
    uint64_t after = 0;
    uint64_t server = 0;  // of a replica: the connection
  };
  Need& Of(ShardIndex shard);
  Need* Find(ShardIndex shard);
  static void Resolve(Need& need, const ShardNodes& nodes);

  std::vector<Need> needs_;
};

}  // namespace meridian
