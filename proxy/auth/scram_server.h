// The server's side of SCRAM-SHA-256 towards one client (RFC 5802 section 5; PostgreSQL:
// src/backend/libpq/auth-scram.c): a state machine from message to message, without I/O.
//
//   client                                    ScramServer
//   SASLInitialResponse(client-first)    ->   Start(client-first)  -> AuthenticationSASLContinue
//   SASLResponse(client-final)           ->   Finish(client-final) -> AuthenticationSASLFinal
//
// Costs microseconds: the slow derivation is the client's. Nothing here tells an unknown user from
// a wrong password. Channel binding is not offered (the gs2 flags 'n' and 'y' are accepted).
// One thread at a time.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "proxy/auth/scram_verifier.h"

namespace meridian {

// The only mechanism to offer in AuthenticationSASL.
inline constexpr std::string_view kScramMechanism = "SCRAM-SHA-256";

class ScramServer {
 public:
  // A login that succeeds for whoever knows the password of `verifier`. `user` is for messages.
  ScramServer(std::string user, ScramVerifier verifier, std::string nonce = RandomNonce());

  // A login that looks the same and always fails at its end. See MockScramVerifier.
  static ScramServer ForUnknownUser(std::string user, std::string_view secret,
                                    int iterations = kScramDefaultIterations,
                                    std::string nonce = RandomNonce());

  // Takes client-first, returns server-first. Errors: 08P01 malformed or called twice, 0A000 an
  // authorization identity, channel binding or extension that is not supported.
  [[nodiscard]] absl::StatusOr<std::string> Start(std::string_view client_first);

  struct Success {
    std::string server_final;
    ScramKeys keys;  // what the client proved to know, for logging in to the backends as it
  };
  // Takes client-final. Errors: 28P01 wrong password or unknown user, 08P01 malformed or not
  // after Start. Any error ends the exchange: the connection is to be closed with it.
  [[nodiscard]] absl::StatusOr<Success> Finish(std::string_view client_final);

 private:
  enum class State { kStart, kWaitFinal, kDone };

  absl::Status ReadClientFirst(std::string_view message);
  absl::StatusOr<ScramKey> ReadClientFinal(std::string_view message);

  std::string user_;
  ScramVerifier verifier_;
  bool doomed_ = false;  // fails even with a matching proof
  std::string nonce_;    // ours; from Start on the client's and ours
  State state_ = State::kStart;
  char gs2_flag_ = 'n';
  std::string client_first_bare_;
  std::string server_first_;
  std::string client_final_without_proof_;
};

}  // namespace meridian
