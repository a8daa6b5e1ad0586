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
#include "proxy/pool/pool_types.h"
#include "proxy/pool/server.h"
#include "proxy/pool/settings.h"

namespace meridian {

// Who waits for a server connection.
class PoolClient {
 public:
  // Called at most once per waiting Acquire. The server is the client's from now on (set
  // server.owner). May call ServerPools; what it appends to server.out is flushed.
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
  // Starts to connect; later (never from within this call) ServerPools::OnConnected, or
  // OnServerClosed.
  virtual void Connect(Server& server, const NodeAddress& node) = 0;
  // The server's `out` has bytes to be written although no event of this server is being handled.
  virtual void Flush(Server& server) = 0;
  // Closes the socket and forgets the server: the last call about it, made exactly once for each
  // server that Connect was called for, also after OnServerClosed, and possibly from within a call
  // of the driver's (OnServerBytes, ...) for the same server. Bytes in `out` (a Terminate) may be
  // written first, without waiting. The object lives until the next OnTick, so that callers up the
  // stack may still look at it.
  virtual void Disconnect(Server& server) = 0;
  // Runs DeriveKeys off the event loop; later ServerPools::OnKeys with the same server id (which
  // may be gone by then).
  virtual void DeriveKeys(uint64_t server_id, std::string password, std::string salt,
                          int iterations) = 0;
  virtual uint64_t NowUs() = 0;  // monotonic

 protected:
  ~PoolHost() = default;
};

// One pool; its definition is private to this folder (pool.h) but for what a Server's user may ask.
class Pool {
 public:
  Pool(PoolKey key, ShardMetrics& metrics) : key_(std::move(key)), metrics_(metrics) {}
  virtual ~Pool() = default;
  const PoolKey& key() const { return key_; }
  ShardMetrics& metrics() { return metrics_; }
  virtual PoolStats Stats(uint64_t now_us) const = 0;
  // nullptr until the first login of this pool has succeeded.
  const PoolProfile* profile() const { return profile_ ? &*profile_ : nullptr; }
  // profile()->defaults; null until then.
  const Ref<const Settings>& defaults() const { return defaults_; }
  // Grows when a login tells of another profile than the one before.
  uint64_t profile_version() const { return profile_version_; }

 protected:
  PoolKey key_;
  ShardMetrics& metrics_;
  std::optional<PoolProfile> profile_;
  Ref<const Settings> defaults_;
  uint64_t profile_version_ = 0;
};

class ServerPools {
 public:
  // How long a pool waits after a failed login before it tries again. Meanwhile sessions that find
  // no connection fail with the error of that login.
  static constexpr uint64_t kRetryAfterUs = 1'000'000;
  // What ROLLBACK, DISCARD ALL and cancel requests may take before the connection is dropped.
  static constexpr uint64_t kCleaningTimeoutUs = 10'000'000;

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
  // The client gives up all its waiting (it went away).
  void Forget(PoolClient& client);
  // Gives a server connection back, with every byte that it sent handled. What is left in `out` is
  // flushed: whole messages that have no answer. It is dropped where it stands within a message, or
  // where the driver has not taken what is in `out`, or comes back kClean within a transaction.
  // After kRollback its `settings` must be what holds after the ROLLBACK. A server that has
  // `cancels_in_flight` is kept aside until they are done. May call OnServer of sessions that wait.
  void Return(Server& server, Release how);
  // A cancel request that counted in server.cancels_in_flight is done.
  void OnCancelDone(uint64_t server_id);

  // From the driver.
  void OnConnected(Server& server);
  void OnServerBytes(Server& server, std::string_view bytes);
  void OnServerClosed(Server& server, std::string_view why);
  void OnKeys(uint64_t server_id, absl::StatusOr<ScramKeys> keys);
  // Time-outs of waiting and of logins, idle and old connections: call about ten times a second,
  // from the loop and not from within another call. Destroys what was closed before.
  void OnTick();
  // A slot may have become free (PoolBudgets' waker).
  void OnSlotsFreed();

  // No connections are given out for pools of this node until Resume: Acquire waits. For PAUSE
  // SHARD.
  void Pause(const NodeAddress& node);
  void Resume(const NodeAddress& node);
  bool IsPaused(const NodeAddress& node) const;
  // Closes idle connections of the node, and the others when they are returned (its role has
  // changed).
  void Retire(const NodeAddress& node);
  // The same, but closes the others now, too: their owners get `why` (another node has taken over).
  void CutOff(const NodeAddress& node, const SqlError& why);
  // At shutdown: closes everything with 57P01; whoever waits now or later gets it, too. The
  // destructor closes what is left without telling anybody.
  void CloseAll();
  void SetLimits(PoolLimits limits);

  void ForEachPool(const std::function<void(Pool&)>& visit);
  void ForEachServer(const std::function<void(Server&)>& visit);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace meridian
