// The start of a client's connection, up to a proven identity: encryption requests, start-up
// packet, authentication.
//
// Pure. What follows (ParameterStatus, BackendKeyData, ReadyForQuery) is the driver's, since it
// needs a server.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/auth/scram_server.h"
#include "proxy/config/config.h"
#include "proxy/control/roles.h"
#include "proxy/wire/out_queue.h"
#include "proxy/wire/startup_packet.h"

namespace meridian {

// What a client hears for whom there is no room.
absl::Status TooManyClients(std::string hint);

class ClientLogin {
 public:
  // What the login is checked against; borrowed for each call.
  struct World {
    const Config& config;
    const Roles& roles;
    ClientAuth method;             // of this client's socket
    std::string_view mock_secret;  // of the process: see ScramServer::ForUnknownUser
    int64_t now_s;                 // since 1970
    // Came when max_client_connections were there: it may cancel and administer.
    bool beyond_limit = false;
  };
  enum class Step : uint8_t {
    kMore,      // wait for bytes
    kCancel,    // a CancelRequest: see cancel()
    kLoggedIn,  // proven: see startup(), keys(), admin()
    kFailed,    // `out` has the FATAL: write it and close
    kClose,     // close without a word
  };

  // Takes bytes from the front of `input`; what is left belongs to what comes after the login.
  Step OnBytes(std::string_view& input, const World& world, wire::OutQueue& out);

  const wire::CancelRequest& cancel() const { return cancel_; }
  const wire::StartupMessage& startup() const { return startup_; }
  // What the client proved to know; nullopt with trust.
  const std::optional<ScramKeys>& keys() const { return keys_; }
  // A connection to the admin database.
  bool admin() const { return startup_.database == kAdminDatabase; }
  // The login failed although the password may have been changed just now: have the roles read
  // anew.
  bool roles_may_be_stale() const { return roles_may_be_stale_; }
  // The login failed for being beyond the limit.
  bool refused() const { return refused_; }

 private:
  enum class State : uint8_t { kStart, kSaslInitial, kSaslResponse, kDone };
  Step OnStartPacket(std::string_view packet, bool more, const World& world, wire::OutQueue& out);
  Step OnStartup(const World& world, wire::OutQueue& out);
  Step OnPassword(std::string_view body, wire::OutQueue& out);
  Step OnSaslInitial(std::string_view body, wire::OutQueue& out);
  ScramServer MakeServer(const World& world);
  static Step Fail(const absl::Status& status, wire::OutQueue& out);

  State state_ = State::kStart;
  std::string buffer_;
  bool ssl_refused_ = false;
  bool gss_refused_ = false;
  bool roles_may_be_stale_ = false;
  bool refused_ = false;
  wire::CancelRequest cancel_;
  wire::StartupMessage startup_;
  std::optional<ScramServer> scram_;
  std::optional<ScramKeys> keys_;
};

}  // namespace meridian
