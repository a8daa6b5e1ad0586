// The server connections of one worker: a pool per node, database and user.
//
// Pure: no sockets, no clock; the driver implements PoolHost. Single-threaded except for
// PoolBudgets, which is shared by all workers and holds the limit of each pool over the whole
// process: a worker takes a slot before it opens a connection and gives it back when it has closed
// one. No worker starves while another idles: one that waits announces it, and the others then
// close an idle connection, or the next one that is released if they hold more than their fair
// share; whoever waits is woken through PoolBudgets' waker.
#pragma once

#include <absl/status/status.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metrics/counters.h"
#include "proxy/auth/scram_verifier.h"
#include "proxy/pool/pool_budget.h"
#include "proxy/pool/server.h"
#include "proxy/pool/settings.h"

namespace meridian {

struct PoolKey {
  NodeAddress node;
  std::string database;
  std::string user;
  friend auto operator<=>(const PoolKey&, const PoolKey&) = default;
  std::string ToString() const;  // user@host:port/database
};

// How to log in as `user` where the server asks for it.
struct ServerCredentials {
  std::optional<ScramKeys> keys;        // learnt from the client's own login
  std::optional<std::string> password;  // from server.password_file
};

// What a pool learnt from its first login.
struct PoolProfile {
  // ParameterStatus of a fresh connection, in the server's order.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string search_path;  // the default of this user in this database
};

// Who waits for a server connection.
class PoolClient {
 public:
  // Called at most once per waiting Acquire. The server is the client's from now on (set
  // server.owner).
  virtual void OnServer(Server& server) = 0;
  // 53300 queue_timeout or pool full, 08006 cannot connect, 28P01 login refused, 3D000 no such
  // database, ...: what the server said where it said something.
  virtual void OnServerFailed(const absl::Status& status) = 0;

 protected:
  ~PoolClient() = default;
};

// The driver.
class PoolHost {
 public:
  // Starts to connect; later ServerPools::OnConnected, or OnServerClosed.
  virtual void Connect(Server& server, const NodeAddress& node) = 0;
  // The server's `out` has bytes to be written although no event of this server is being handled.
  virtual void Flush(Server& server) = 0;
  // Closes the socket and forgets the server; it is destroyed by ServerPools right after the call.
  virtual void Disconnect(Server& server) = 0;
  // Runs DeriveKeys off the event loop; later ServerPools::OnKeys with the same server id (which
  // may be gone by then).
  virtual void DeriveKeys(uint64_t server_id, std::string password, std::string salt,
                          int iterations) = 0;
  virtual uint64_t NowUs() = 0;  // monotonic

 protected:
  ~PoolHost() = default;
};

struct PoolLimits {
  size_t pool_size = 20;  // per pool, over all workers
  uint64_t queue_timeout_us = 0;
  uint64_t connect_timeout_us = 0;      // connect and login
  uint64_t server_idle_timeout_us = 0;  // 0: never
  uint64_t server_lifetime_us = 0;      // 0: never
};

enum class Release : uint8_t {
  kClean,     // idle, outside of a transaction, its `settings` and `prepared` are right
  kReset,     // may hold session state: DISCARD ALL first, then it is idle
  kRollback,  // idle in a transaction: ROLLBACK first, then it is idle
  kDrop,      // in an unknown state: close it
};

// For SHOW POOLS, SHOW SERVERS and the metrics.
struct PoolStats {
  size_t active = 0;
  size_t idle = 0;
  size_t login = 0;
  size_t waiting = 0;
  uint64_t oldest_wait_us = 0;
};

// One pool; its definition is private to server_pools.cc but for what a Server's user may ask.
class Pool {
 public:
  Pool(PoolKey key, ShardMetrics& metrics) : key_(std::move(key)), metrics_(metrics) {}
  virtual ~Pool() = default;
  const PoolKey& key() const { return key_; }
  ShardMetrics& metrics() { return metrics_; }
  virtual PoolStats Stats(uint64_t now_us) const = 0;
  // nullptr until the first login of this pool has succeeded.
  const PoolProfile* profile() const { return profile_ ? &*profile_ : nullptr; }

 protected:
  PoolKey key_;
  ShardMetrics& metrics_;
  std::optional<PoolProfile> profile_;
};

class ServerPools {
 public:
  ServerPools(PoolHost& host, PoolBudgets& budgets, SettingsRegistry& settings, PoolLimits limits);
  ~ServerPools();

  // The pool, made when it is new. `metrics` of its shard must outlive the ServerPools.
  Pool& Get(const PoolKey& key, ShardMetrics& metrics);
  // What its next logins use.
  void SetCredentials(Pool& pool, ServerCredentials credentials);

  // A server connection for `client`: at once where one is idle (then the client owns it), else
  // nullptr and the client waits, first come first served, for OnServer or OnServerFailed, never
  // from within this call.
  Server* Acquire(Pool& pool, PoolClient& client);
  // The client gives up waiting (it went away).
  void Forget(PoolClient& client);
  // Gives a server connection back. A server that has `cancels_in_flight` is kept aside until they
  // are done.
  void Return(Server& server, Release how);
  // A cancel request that counted in server.cancels_in_flight is done.
  void OnCancelDone(uint64_t server_id);

  // From the driver.
  void OnConnected(Server& server);
  void OnServerBytes(Server& server, std::string_view bytes);
  void OnServerClosed(Server& server, std::string_view why);
  void OnKeys(uint64_t server_id, absl::StatusOr<ScramKeys> keys);
  // Time-outs of waiting and of logins, idle and old connections: call about ten times a second.
  void OnTick();
  // A slot may have become free (PoolBudgets' waker).
  void OnSlotsFreed();

  // No connections are given out for pools of this node until Resume: Acquire waits. For PAUSE
  // SHARD.
  void Pause(const NodeAddress& node);
  void Resume(const NodeAddress& node);
  // Closes idle connections of the node, and the others when they are returned (its role has
  // changed).
  void Retire(const NodeAddress& node);
  // At shutdown.
  void CloseAll();
  void SetLimits(PoolLimits limits);

  void ForEachPool(const std::function<void(Pool&)>& visit);
  void ForEachServer(const std::function<void(Server&)>& visit);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace meridian
