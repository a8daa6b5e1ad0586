// What a worker does about servers: which node and pool a session gets, its connections, and who
// waits for a node.

#include "proxy/net/cancel_connection.h"
#include "proxy/net/proxy.h"
#include "proxy/net/worker.h"

namespace meridian {
namespace {

// Those that wait for a node have it looked at this often, if it is not otherwise.
constexpr uint64_t kNodeChecksApartUs = 50'000;

ServerConnection* ConnectionOf(Server& server) {
  return static_cast<ServerConnection*>(server.handle);
}

}  // namespace

absl::StatusOr<Pool*> Worker::PoolFor(const std::string& database, const std::string& user,
                                      ShardIndex shard) {
  const ShardMap& map = *snapshot_->map;
  if (shard.value >= map.shards().size()) {
    return SqlStatus(sqlstate::kCannotConnectNow, "the shard does not exist any more");
  }
  const ShardNodes& nodes = snapshot_->nodes->of(shard);
  const NodeState* primary = nodes.Primary();
  if (primary == nullptr) {
    return SqlStatus(sqlstate::kCannotConnectNow,
                     "shard \"" + map.shard(shard).name + "\" has no primary",
                     "SHOW NODES in the admin database tells why.", nodes.last_error);
  }
  return &PoolAt(primary->address, database, user, shard);
}

Pool& Worker::PoolAt(const NodeAddress& node, const std::string& database, const std::string& user,
                     ShardIndex shard) {
  const std::string& dbname = snapshot_->map->shard(shard).dbname;
  PoolKey key{node, dbname.empty() ? database : dbname, user};
  const size_t slot =
      shard.value < snapshot_->slots.size() ? snapshot_->slots[shard.value] : kOtherShardsSlot;
  Pool& pool = pools_->Get(key, metrics_.Shard(static_cast<ShardSlot>(slot)));
  if (pool.profile() == nullptr) {
    ServerCredentials credentials;
    const auto keys = keys_.find(user);
    if (keys != keys_.end()) credentials.keys = keys->second;
    const std::string* password =
        proxy_.passwords()->Find(key.node.host, key.node.port, key.database, user);
    if (password != nullptr) credentials.password = *password;
    pools_->SetCredentials(pool, std::move(credentials));
  }
  return pool;
}

// What PoolFor says holds as long as the snapshot.
UserPools& Worker::KnownPools(Session& session) {
  UserPools& known = *static_cast<ClientConnection*>(session.handle)->user_pools();
  if (known.snapshot != snapshot_) {
    const size_t shards = snapshot_->map->shards().size();
    known.snapshot = snapshot_;
    known.by_shard.assign(shards, nullptr);
    known.replicas.assign(shards, {});
  }
  return known;
}

absl::StatusOr<Pool*> Worker::PoolOf(Session& session, ShardIndex shard) {
  UserPools& known = KnownPools(session);
  if (shard.value < known.by_shard.size() && known.by_shard[shard.value] != nullptr) {
    return known.by_shard[shard.value];
  }
  const auto pool = PoolFor(session.identity().database, session.identity().user, shard);
  // Until a login has succeeded, the credentials may change with the password file.
  if (pool.ok() && (*pool)->profile() != nullptr) known.by_shard[shard.value] = *pool;
  return pool;
}

const ShardNodes* Worker::NodesOf(ShardIndex shard) {
  return shard.value < snapshot_->nodes->shards.size() ? &snapshot_->nodes->of(shard) : nullptr;
}

// Those of the proxy's own zone before others.
std::optional<SessionHost::ReplicaPool> Worker::ReplicaPoolOf(Session& session, ShardIndex shard,
                                                              absl::Span<const size_t> candidates) {
  const ShardNodes& nodes = snapshot_->nodes->of(shard);
  std::vector<Pool*>& known = KnownPools(session).replicas[shard.value];
  known.resize(nodes.nodes.size(), nullptr);
  const uint64_t now = NowUs();
  const std::string& zone = config_->replicas.zone;
  absl::InlinedVector<ReplicaCandidate, 4> left;
  bool in_zone = false;  // those in `left` are
  for (const size_t i : candidates) {
    const NodeState& node = nodes.nodes[i];
    const auto failed = failed_replicas_.find(node.samples.get());
    if (failed != failed_replicas_.end() && failed->second > now) continue;
    const NodeConfig* const config =
        config_->nodes.empty() ? nullptr : config_->FindNode(node.address.ToString());
    const bool near = config != nullptr && !zone.empty() && config->zone == zone;
    if (in_zone && !near) continue;
    if (near && !in_zone) left.clear();
    in_zone = near;
    Pool*& pool = known[i];
    if (pool == nullptr || pool->profile() == nullptr) {  // until then, as in PoolOf
      const SessionIdentity& identity = session.identity();
      pool = &PoolAt(node.address, identity.database, identity.user, shard);
    }
    const PoolStats stats = pool->Stats(now);
    left.push_back({.node = i,
                    .weight = config == nullptr ? 1 : static_cast<uint32_t>(config->weight),
                    .load = stats.active + stats.waiting});
  }
  if (left.empty()) return std::nullopt;
  const size_t chosen = replica_choice_.Choose(left).node;
  return ReplicaPool{chosen, known[chosen]};
}

void Worker::OnReplicaFailed(const NodeSamples& replica) {
  std::erase_if(failed_replicas_,
                [now = NowUs()](const auto& failed) { return failed.second <= now; });
  failed_replicas_[&replica] = NowUs() + ServerPools::kRetryAfterUs;
  proxy_.control().RequestNodeCheck();
}

void Worker::AwaitNodes(Session& session) { AwaitNodes(session.identity().client_id); }

void Worker::AwaitNodes(uint64_t client_id) {
  if (const uint64_t now = NowUs(); now - nodes_checked_us_ >= kNodeChecksApartUs) {
    nodes_checked_us_ = now;
    proxy_.control().RequestNodeCheck();
  }
  awaiting_nodes_.push_back(client_id);
  anyone_awaits_.store(true, std::memory_order_relaxed);
}

void Worker::AwaitMap(Session& session) { awaiting_nodes_.push_back(session.identity().client_id); }

MovingSet Worker::HeldRanges() {
  const ShardMap& map = *snapshot_->map;
  if (map.moving().empty()) return 0;
  return NowUs() < proxy_.control().map_lease_until_us() ? map.held() : ~MovingSet{0};
}

uint64_t Worker::replica_wait_us() const { return Microseconds(config_->replicas.wait); }

uint64_t Worker::primary_timeout_us() const { return Microseconds(config_->failover_timeout); }

// On each tick, and when nodes have been looked at.
void Worker::WakeThoseWhoAwaitNodes() {
  if (awaiting_nodes_.empty()) return;
  anyone_awaits_.store(false, std::memory_order_relaxed);
  for (const uint64_t id : std::exchange(awaiting_nodes_, {})) {
    ClientConnection* const client = FindClient(id);
    if (client != nullptr) client->OnNodesMayHaveChanged();
  }
}

UserPools& Worker::PoolsOf(const std::string& database, const std::string& user) {
  return user_pools_[{database, user}];
}

void Worker::Connect(Server& server, const NodeAddress& node) {
  auto* connection = new ServerConnection(*this, server, node);  // deletes itself when closed
  server.handle = connection;
  connection->Connect();
}

void Worker::Flush(Server& server) {
  if (ServerConnection* connection = ConnectionOf(server)) connection->Flush();
}

void Worker::Disconnect(Server& server) {
  if (ServerConnection* connection = ConnectionOf(server)) connection->Detach();
  server.handle = nullptr;
}

void Worker::SetReading(Server& server, bool on) {
  if (ServerConnection* connection = ConnectionOf(server)) {
    connection->SetPaused(ServerConnection::kNotItsTurn, !on);
  }
}

void Worker::OnServerDrained(Server& server) {
  // The client whose input was held back goes on.
  if (auto* session = dynamic_cast<Session*>(server.owner)) MarkDirty(*session);
  EndEvent();
}

void Worker::CancelServer(Server& server) {
  ++server.cancels_in_flight;
  SendCancel(&loop_, server.pool.key().node, server.backend_pid, server.cancel_secret,
             [this, id = server.id] {
               if (stopping_) return;
               pools_->OnCancelDone(id);
               EndEvent();
             });
}

void Worker::DeriveKeys(uint64_t server_id, std::string password, std::string salt,
                        int iterations) {
  struct Work {
    uv_work_t request;
    Worker* worker;
    uint64_t server_id;
    std::string password, salt;
    int iterations;
    absl::StatusOr<ScramKeys> keys;
  };
  auto* work = new Work{{},
                        this,
                        server_id,
                        std::move(password),
                        std::move(salt),
                        iterations,
                        absl::UnknownError("")};
  work->request.data = work;
  uv_queue_work(
      &loop_, &work->request,
      [](uv_work_t* request) {
        Work& self = *static_cast<Work*>(request->data);
        self.keys = meridian::DeriveKeys(self.password, self.salt, self.iterations);
      },
      [](uv_work_t* request, int /*status*/) {
        const std::unique_ptr<Work> self(static_cast<Work*>(request->data));
        if (self->worker->stopping_) return;
        self->worker->pools_->OnKeys(self->server_id, std::move(self->keys));
        self->worker->EndEvent();
      });
}

}  // namespace meridian
