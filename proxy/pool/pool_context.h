// What the pools of one worker share. Private to this folder.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "proxy/pool/pool_budget.h"
#include "proxy/pool/pool_types.h"
#include "proxy/pool/server.h"
#include "proxy/pool/settings.h"

namespace meridian {

class NodePool;
class PoolClient;
class PoolHost;

// One wait of a session for a connection of a pool.
struct Waiter {
  NodePool* pool;
  PoolClient* client;
  uint64_t since_us;
  uint64_t number;  // grows with each wait of the pool
};
using WaitList = std::list<Waiter>;

struct PoolContext {
  PoolHost& host;
  PoolBudgets& budgets;
  SettingsRegistry& settings;
  PoolLimits limits;

  uint64_t next_server_id = 1;
  absl::flat_hash_map<uint64_t, Server*> servers = {};  // all that are open, by id
  // The waits of each client: one that needs several shards waits in several pools.
  absl::flat_hash_map<PoolClient*, std::vector<WaitList::iterator>> waits = {};
  // Closed connections, until OnTick: callers further up the stack may still hold them.
  std::vector<std::unique_ptr<Server>> graveyard = {};
  // After CloseAll: why nothing is served any more.
  absl::Status closed = {};
};

}  // namespace meridian
