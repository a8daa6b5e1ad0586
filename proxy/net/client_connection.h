// One client's socket and what lives on it: first a login, then a session (or an admin session).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/admin/admin_session.h"
#include "proxy/net/stream.h"
#include "proxy/session/client_login.h"
#include "proxy/session/session.h"
#include "proxy/session/session_start.h"

namespace meridian {

class Worker;

struct DatabaseStats;
struct UserPools;

class ClientConnection final : public StreamOwner {
 public:
  ClientConnection(Worker& worker, uint64_t id, bool is_unix, bool beyond_limit);
  ~ClientConnection();

  // Starts to serve a connected socket. False: it could not be opened.
  bool Open(int fd);

  uint64_t id() const { return id_; }
  // As told in BackendKeyData: of the backend in session mode, otherwise a number of ours.
  uint32_t pid() const { return pid_; }
  const std::string& secret() const { return secret_; }
  Session* session() { return session_.get(); }
  AdminSession* admin() { return admin_.get(); }
  bool logged_in() const { return session_ != nullptr || admin_ != nullptr; }
  uint64_t opened_us() const { return opened_us_; }
  uint64_t active_us() const { return active_us_; }
  const Stream& stream() const { return stream_; }
  const std::string& user() const { return login_user_; }
  const std::string& database() const { return login_database_; }
  // Of its database, once there is a session.
  DatabaseStats* stats() { return stats_; }
  UserPools* user_pools() { return user_pools_; }

  // Writes what is queued for the client and its servers; adjusts who is read from.
  void FlushAll();
  void Fatal(const SqlError& error);
  void CloseAfterWrite();
  // The worker is about to die: give servers back.
  void Abandon();
  // See Worker::AwaitNodes.
  void OnNodesMayHaveChanged();
  // About once a second.
  void OnTick(uint64_t now_us);

  void OnRead(std::string_view bytes) override;
  void OnReadEnd(std::string_view why, bool lost) override;
  void OnDrained() override;
  void OnWriteFailed() override;
  void OnClosed() override;

  bool dirty = false;

 private:
  void OnLoginBytes(std::string_view bytes);
  void OnLoggedIn(std::string_view rest);
  void StartAdmin();
  void StartSession();
  void BeginStart();
  bool AwaitPrimary(const absl::Status& why);
  PoolMode PoolModeOfLogin() const;
  // `pool`: that of the login; `server`: the session's from now on, nullptr: none.
  void FinishStart(const absl::StatusOr<ParameterList>& parameters, const Pool* pool,
                   Server* server);
  void EndAfterWrite();
  void Greet(const ParameterList& parameters);
  void ThrottleServers();
  wire::OutQueue& out();

  Worker& worker_;
  const uint64_t id_;
  uint32_t pid_;
  const std::string secret_;
  Stream stream_;
  uint64_t opened_us_;
  uint64_t active_us_;
  std::string login_user_;
  std::string login_database_;
  std::unique_ptr<ClientLogin> login_;
  wire::OutQueue login_out_;
  std::string early_;  // bytes that came before the session was ready
  std::unique_ptr<SessionStart> start_;
  Ref<const Settings> startup_settings_;
  MeridianSettings startup_meridian_;
  std::unique_ptr<const std::string> startup_token_;  // null: none
  std::unique_ptr<Session> session_;
  std::unique_ptr<AdminSession> admin_;
  DatabaseStats* stats_ = nullptr;
  UserPools* user_pools_ = nullptr;
  uint64_t read_ended_us_ = 0;  // when the client closed its sending direction; 0: not
  const bool beyond_limit_;
  bool awaits_primary_ = false;
  uint64_t primary_missing_since_us_ = 0;  // for the start; 0: it was not
  bool servers_throttled_ = false;
  bool ended_ = false;
};

}  // namespace meridian
