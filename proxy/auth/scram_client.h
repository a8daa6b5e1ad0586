// The client's side of SCRAM-SHA-256 towards one backend (RFC 5802 section 5; PostgreSQL:
// src/interfaces/libpq/fe-auth-scram.c): a state machine from message to message, without I/O.
//
//   ScramClient                                  backend
//   ClientFirst()                           ->   SASLInitialResponse
//   ReadServerFirst(server-first)           <-   AuthenticationSASLContinue
//   ClientFinal(keys)                       ->   SASLResponse
//   CheckServerFinal(server-final)          <-   AuthenticationSASLFinal; only then
//   AuthenticationOk
//
// The keys for ClientFinal come from the client's own login (ScramServer::Success, pass-through),
// or from a plain password by DeriveKeys(password, challenge().salt, challenge().iterations), which
// the caller runs off the event loop and whose result it keeps per role and node.
//
// The backend is input from outside: whatever it sends is an error at worst. One thread at a time.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "proxy/auth/scram_verifier.h"

namespace meridian {

// What the backend asks for: keys of the password under this salt and iteration count.
struct ScramChallenge {
  std::string salt;  // bytes, not Base64
  int iterations = 0;
};

class ScramClient {
 public:
  // `user` and `where` (such as `shard "s1" (10.0.0.1:5432)`) are for messages.
  ScramClient(std::string user, std::string where, std::string nonce = RandomNonce());

  // client-first, for SASLInitialResponse with kScramMechanism.
  [[nodiscard]] std::string ClientFirst() const;

  // Errors: 08P01 malformed, a nonce that is not an extension of ours, more iterations than
  // kScramIterationsMax or called out of turn.
  [[nodiscard]] absl::Status ReadServerFirst(std::string_view server_first);

  // Precondition: ReadServerFirst succeeded.
  const ScramChallenge& challenge() const { return challenge_; }
  // Whether `keys` answer the challenge: false means that they are of another verifier.
  bool Answers(const ScramKeys& keys) const;

  // client-final. Errors: 28P01 when the keys do not answer the challenge (the role's verifier on
  // this backend is not the one that the keys come from); 08P01 called out of turn.
  [[nodiscard]] absl::StatusOr<std::string> ClientFinal(const ScramKeys& keys);

  // Errors: 28P01 when the server refuses or does not prove that it knows the password; 08P01
  // malformed or out of turn.
  [[nodiscard]] absl::Status CheckServerFinal(std::string_view server_final);

  // Whether the server has proved that it knows the password. AuthenticationOk before that is an
  // attack or a bug: close the connection.
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kStart, kChallenged, kWaitFinal, kDone, kFailed };

  absl::Status Malformed(std::string_view what);

  std::string user_;
  std::string where_;
  std::string nonce_;  // ours; from ReadServerFirst on ours and the server's
  State state_ = State::kStart;
  std::string client_first_bare_;
  std::string server_first_;
  ScramChallenge challenge_;
  ScramKey server_signature_{};  // what the server has to answer
};

}  // namespace meridian
