#include "proxy/pool/server_pools.h"

#include <set>
#include <utility>

#include "proxy/pool/pool.h"
#include "proxy/pool/pool_context.h"

namespace meridian {
namespace {

NodePool& PoolOf(Server& server) { return static_cast<NodePool&>(server.pool); }

}  // namespace

class ServerPools::Impl {
 public:
  Impl(PoolHost& host, PoolBudgets& budgets, SettingsRegistry& settings, PoolLimits limits)
      : context{host, budgets, settings, limits} {}

  // nullptr where it is closed already.
  Server* Find(uint64_t server_id) {
    const auto found = context.servers.find(server_id);
    return found != context.servers.end() ? found->second : nullptr;
  }

  // `act` on the pools of a node. It may call back: pools that are made meanwhile are not visited
  // twice, since a std::map keeps its iterators.
  template <typename Act>
  void ForNode(const NodeAddress& node, Act act) {
    for (auto& [key, pool] : pools) {
      if (key.node == node) act(*pool);
    }
  }

  PoolContext context;
  std::set<NodeAddress> paused;
  std::map<PoolKey, std::unique_ptr<NodePool>> pools;  // after context, which they use
};

ServerPools::ServerPools(PoolHost& host, PoolBudgets& budgets, SettingsRegistry& settings,
                         PoolLimits limits)
    : impl_(std::make_unique<Impl>(host, budgets, settings, limits)) {}

ServerPools::~ServerPools() = default;

Pool& ServerPools::Get(const PoolKey& key, ShardMetrics& metrics) {
  std::unique_ptr<NodePool>& pool = impl_->pools[key];
  if (pool == nullptr) {
    pool =
        std::make_unique<NodePool>(key, metrics, impl_->context, impl_->paused.contains(key.node));
  }
  return *pool;
}

void ServerPools::SetCredentials(Pool& pool, ServerCredentials credentials) {
  static_cast<NodePool&>(pool).SetCredentials(std::move(credentials));
}

Server* ServerPools::Acquire(Pool& pool, PoolClient& client) {
  return static_cast<NodePool&>(pool).Acquire(client);
}

void ServerPools::Forget(PoolClient& client) {
  auto& waits = impl_->context.waits;
  for (auto found = waits.find(&client); found != waits.end(); found = waits.find(&client)) {
    const WaitList::iterator wait = found->second.back();
    wait->pool->EndWait(wait);
  }
}

void ServerPools::Return(Server& server, Release how) { PoolOf(server).Return(server, how); }

void ServerPools::OnCancelDone(uint64_t server_id) {
  if (Server* server = impl_->Find(server_id)) PoolOf(*server).OnCancelDone(*server);
}

void ServerPools::OnConnected(Server& server) { PoolOf(server).OnConnected(server); }

void ServerPools::OnServerBytes(Server& server, std::string_view bytes) {
  PoolOf(server).OnBytes(server, bytes);
}

void ServerPools::OnServerClosed(Server& server, std::string_view why) {
  PoolOf(server).OnClosed(server, why);
}

void ServerPools::OnKeys(uint64_t server_id, absl::StatusOr<ScramKeys> keys) {
  if (Server* server = impl_->Find(server_id)) PoolOf(*server).OnKeys(*server, std::move(keys));
}

void ServerPools::OnTick() {
  impl_->context.graveyard.clear();
  const uint64_t now_us = impl_->context.host.NowUs();
  for (auto& [key, pool] : impl_->pools) pool->OnTick(now_us);
}

void ServerPools::OnSlotsFreed() {
  for (auto& [key, pool] : impl_->pools) pool->OnSlotsFreed();
}

void ServerPools::Pause(const NodeAddress& node) {
  impl_->paused.insert(node);
  impl_->ForNode(node, [](NodePool& pool) { pool.SetPaused(true); });
}

bool ServerPools::IsPaused(const NodeAddress& node) const { return impl_->paused.contains(node); }

void ServerPools::Resume(const NodeAddress& node) {
  impl_->paused.erase(node);
  impl_->ForNode(node, [](NodePool& pool) { pool.SetPaused(false); });
}

void ServerPools::Retire(const NodeAddress& node) {
  impl_->ForNode(node, [](NodePool& pool) { pool.Retire(); });
}

void ServerPools::CutOff(const NodeAddress& node, const SqlError& why) {
  impl_->ForNode(node, [&why](NodePool& pool) { pool.CutOff(why); });
}

void ServerPools::CloseAll() {
  impl_->context.closed =
      SqlStatus(sqlstate::kAdminShutdown, "the proxy is shutting down", "Connect again.");
  for (auto& [key, pool] : impl_->pools) pool->CloseAll(impl_->context.closed);
}

void ServerPools::SetLimits(PoolLimits limits) { impl_->context.limits = limits; }

void ServerPools::ForEachPool(const std::function<void(Pool&)>& visit) {
  for (auto& [key, pool] : impl_->pools) visit(*pool);
}

void ServerPools::ForEachServer(const std::function<void(Server&)>& visit) {
  for (auto& [key, pool] : impl_->pools) {
    for (const auto& server : pool->servers()) visit(*server);
  }
}

}  // namespace meridian
