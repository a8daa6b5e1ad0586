// One pool: the server connections of one worker to one database of one node as one user, and who
// waits for them. Private to this folder; the functions of ServerPools come down to these.
//
// A server connection goes
//   kLogin -> kIdle <-> kActive -> kCleaning -> kIdle
// and from each of them to kClosing, by Close. It holds a slot of the budget as long as it is in
// servers_. Invariants between calls:
//   nobody waits while a connection is idle, unless the pool is paused;
//   no more connections are being opened than sessions wait.
#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/pool/pool_context.h"
#include "proxy/pool/pool_share.h"
#include "proxy/pool/server_login.h"
#include "proxy/pool/server_pools.h"

namespace meridian {

class NodePool final : public Pool {
 public:
  NodePool(PoolKey key, ShardMetrics& metrics, PoolContext& context, bool paused);
  ~NodePool() override;

  PoolStats Stats(uint64_t now_us) const override;
  const std::vector<std::unique_ptr<Server>>& servers() const { return servers_; }

  // pool.cc: who gets a connection.
  Server* Acquire(PoolClient& client);
  void Return(Server& server, Release how);
  void SetPaused(bool paused);
  void Retire();
  void CutOff(const SqlError& why);
  void CloseAll(const absl::Status& why);
  void OnTick(uint64_t now_us);
  void OnSlotsFreed();
  // Ends a wait of this pool; its client is not told.
  PoolClient& EndWait(WaitList::iterator wait);

  // pool_login.cc: opening connections.
  void SetCredentials(ServerCredentials credentials);
  void OnConnected(Server& server);
  void OnKeys(Server& server, absl::StatusOr<ScramKeys> keys);

  // pool_events.cc: what happens to a connection.
  void OnBytes(Server& server, std::string_view bytes);
  void OnClosed(Server& server, std::string_view why);
  void OnCancelDone(Server& server);

 private:
  // pool.cc
  Server* TakeIdle();
  void Wait(PoolClient& client);
  // Gives idle connections to those who wait, then opens more where that is not enough.
  void Serve();
  void MakeIdle(Server& server);
  bool MustClose(const Server& server, uint64_t now_us);
  void FailWaiters(const absl::Status& status);
  void FailOverdueWaiters(uint64_t now_us);
  void CloseExpired(uint64_t now_us);
  // Closes what is logged in: at once where it is idle, else when it is released.
  void RetireLoggedIn();
  absl::Status QueueTimeout() const;
  // Closes the connection and gives its slot back; its owner is not told.
  void Close(Server& server);

  // pool_login.cc
  void OpenMore(uint64_t now_us);
  void Open(uint64_t now_us);
  void OnLoginBytes(Server& server, std::string_view bytes);
  void OnLoginDone(Server& server, std::string_view rest);
  void OnLoginFailed(Server& server, const absl::Status& status);
  void FailOverdueLogins(uint64_t now_us);
  bool WantsMore(uint64_t now_us) const;
  // Nothing that is open or being opened could serve those who wait, and it is too early to try
  // again.
  bool IsDown(uint64_t now_us) const { return servers_.empty() && now_us < retry_at_us_; }

  // pool_events.cc
  void OnUnlinkedBytes(Server& server, std::string_view bytes);
  void OnCleaningBytes(Server& server, std::string_view bytes);
  void Clean(Server& server, Release how);
  void OnCleaned(Server& server, std::string_view rest);
  void CloseUncleaned(uint64_t now_us);

  // Moves a connection to a state, and the counts with it.
  void SetState(Server& server, Server::State state);
  void Count(Server::State state, int64_t change);
  void DropUnsolicited(Server& server);

  PoolContext& context_;
  PoolShare share_;
  bool paused_;
  bool serving_ = false;  // Serve is running

  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<Server*> idle_;  // the one used last is at the end
  WaitList waiters_;
  size_t active_ = 0;    // kActive
  size_t cleaning_ = 0;  // kCleaning
  size_t logins_ = 0;    // kLogin
  uint64_t next_wait_ = 0;
  uint64_t unsolicited_ = 0;

  ServerCredentials credentials_;
  std::optional<ScramKeys> derived_;  // of credentials_.password
  uint64_t retry_at_us_ = 0;          // no login before
  absl::Status login_error_;          // of the last login, where it failed
};

}  // namespace meridian
