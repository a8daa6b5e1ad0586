// The client's side of a login to a PostgreSQL server: a state machine from message to message,
// without I/O (PostgreSQL documentation, "Start-up"; src/interfaces/libpq/fe-connect.c, fe-auth.c).
//
//   StartupMessage                             ->
//                                              <-  Authentication...   (trust, SCRAM, MD5,
//                                              cleartext)
//                                              <-  AuthenticationOk, ParameterStatus...,
//                                                  BackendKeyData, ReadyForQuery
//   Query SELECT current_setting(...), ...      ->
//                                              <-  its answer
//
// The server is input from outside: whatever it sends is an error at worst, and its share of memory
// is bounded. One thread.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/auth/scram_client.h"
#include "proxy/auth/scram_verifier.h"
#include "proxy/pool/pool_types.h"

namespace meridian {

class ServerLogin {
 public:
  // What a server may send in a login altogether.
  static constexpr size_t kLoginBytesMax = 1 << 20;

  // `key` must outlive the login. `derived`: keys made of credentials.password before, if any.
  ServerLogin(const PoolKey& key, ServerCredentials credentials, std::optional<ScramKeys> derived);

  // The start-up packet. The client_encoding and application_name are left to be the server's
  // defaults: what a session wants is set when it gets the connection.
  void Start(std::string& out);

  enum class Next : uint8_t {
    kMore,  // of the server's messages
    kKeys,  // of OnKeys: derive them from password(), challenge()
    kDone,
  };
  // Takes a piece of the server's stream: a whole message, or a chunk of one, as MessageStream
  // hands them out. Appends the answer to `out`. An error ends the login: what the server said with
  // its own SQLSTATE; 08P01 for what is not the protocol; 28P01 or 28000 where it cannot be
  // answered.
  absl::StatusOr<Next> OnMessage(char type, std::string_view bytes, bool starts, bool ends,
                                 std::string& out);
  // After kKeys.
  absl::Status OnKeys(ScramKeys keys, std::string& out);

  const std::string& password() const { return *credentials_.password; }
  const ScramChallenge& challenge() const { return scram_->challenge(); }
  // Whether the keys below are of these credentials.
  bool password_is(const ServerCredentials& credentials) const {
    return credentials.password == credentials_.password;
  }
  // The keys that were derived during or before this login, to be kept.
  const std::optional<ScramKeys>& derived() const { return derived_; }

  // What asks for the defaults that no ParameterStatus tells.
  static std::string_view DefaultsQuery();

  // After kDone.
  PoolProfile TakeProfile() { return std::move(profile_); }
  uint32_t backend_pid() const { return backend_pid_; }
  const std::string& cancel_secret() const { return cancel_secret_; }

 private:
  enum class State : uint8_t {
    kAuthentication,  // nothing was asked yet
    kScramFirst,      // client-first was sent
    kScramKeys,       // waits for OnKeys
    kScramFinal,      // client-final was sent
    kScramProved,     // the server knows the password, too
    kPasswordSent,
    kParameters,  // after AuthenticationOk
    kDefaults,    // DefaultsQuery was sent
    kDone,
  };

  absl::StatusOr<Next> OnWhole(char type, std::string_view body, std::string& out);
  absl::StatusOr<Next> OnAuthentication(std::string_view body, std::string& out);
  absl::StatusOr<Next> OnSasl(std::string_view mechanisms, std::string& out);
  absl::StatusOr<Next> OnScramChallenge(std::string_view data, std::string& out);
  absl::StatusOr<Next> SendClientFinal(const ScramKeys& keys, std::string& out);
  absl::StatusOr<Next> OnAuthenticationOk();
  absl::StatusOr<Next> OnCleartext(std::string& out);
  absl::StatusOr<Next> OnMd5(std::string_view salt, std::string& out);
  absl::Status OnParameterStatus(std::string_view body);
  absl::Status OnBackendKeyData(std::string_view body);
  absl::Status OnDataRow(std::string_view body);
  absl::StatusOr<Next> OnReadyForQuery(std::string_view body, std::string& out);

  absl::Status ServerError(std::string_view body) const;
  absl::Status Violation(std::string_view what) const;
  absl::Status NoPassword(std::string_view method) const;
  std::string Where() const { return "node " + key_.node.ToString(); }

  const PoolKey& key_;
  ServerCredentials credentials_;
  std::optional<ScramKeys> derived_;
  State state_ = State::kAuthentication;
  std::optional<ScramClient> scram_;
  size_t bytes_ = 0;  // received
  std::string row_;   // the chunks of a DataRow
  PoolProfile profile_;
  uint32_t backend_pid_ = 0;
  std::string cancel_secret_;
};

}  // namespace meridian
