#include "proxy/auth/scram_server.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "proxy/auth/scram_message.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

absl::Status Malformed(std::string_view detail) {
  return SqlStatus(sqlstate::kProtocolViolation, "malformed SCRAM message",
                   "Use a driver that implements SCRAM-SHA-256.", std::string(detail));
}

absl::Status CheckSize(std::string_view message) {
  if (message.empty()) return Malformed("The message is empty.");
  if (message.size() > kScramMessageBytesMax) return Malformed("The message is too long.");
  return absl::OkStatus();
}

// What the attribute `c` of client-final must say: the gs2 header of client-first in Base64.
std::string_view ExpectedChannelBinding(char gs2_flag) { return gs2_flag == 'y' ? "eSws" : "biws"; }

}  // namespace

ScramServer::ScramServer(std::string user, ScramVerifier verifier, std::string nonce)
    : user_(std::move(user)), verifier_(std::move(verifier)), nonce_(std::move(nonce)) {}

ScramServer ScramServer::ForUnknownUser(std::string user, std::string_view secret, int iterations,
                                        std::string nonce) {
  ScramVerifier mock = MockScramVerifier(user, secret, iterations);
  ScramServer server(std::move(user), std::move(mock), std::move(nonce));
  server.doomed_ = true;
  return server;
}

absl::StatusOr<std::string> ScramServer::Start(std::string_view client_first) {
  if (std::exchange(state_, State::kDone) != State::kStart) {
    return Malformed("A second client-first-message.");
  }
  if (const absl::Status read = ReadClientFirst(client_first); !read.ok()) return read;
  server_first_ =
      fmt::format("r={},s={},i={}", nonce_, Base64Encode(verifier_.salt), verifier_.iterations);
  state_ = State::kWaitFinal;
  return server_first_;
}

absl::Status ScramServer::ReadClientFirst(std::string_view message) {
  if (const absl::Status size = CheckSize(message); !size.ok()) return size;
  gs2_flag_ = message[0];
  if (gs2_flag_ == 'p') {
    return SqlStatus(sqlstate::kFeatureNotSupported,
                     "SCRAM channel binding is not supported on this connection",
                     "Connect with channel_binding=prefer or channel_binding=disable.");
  }
  if (gs2_flag_ != 'n' && gs2_flag_ != 'y') return Malformed("Unexpected channel-binding flag.");
  if (message.size() < 3 || message[1] != ',') return Malformed("Comma expected after the flag.");
  if (message[2] == 'a') {
    return SqlStatus(sqlstate::kFeatureNotSupported,
                     "SCRAM authorization identities are not supported",
                     "Log in as the role itself, then use SET ROLE.");
  }
  if (message[2] != ',') return Malformed("Unexpected attribute in the gs2 header.");
  client_first_bare_ = message.substr(3);

  ScramMessage attributes(client_first_bare_);
  if (attributes.IsNext('m')) {
    return SqlStatus(sqlstate::kFeatureNotSupported,
                     "the client requires an unsupported SCRAM extension",
                     "Use a driver that implements plain SCRAM-SHA-256.");
  }
  // The name is ignored, as in PostgreSQL: the start-up message has said who it is.
  if (!attributes.Take('n')) return Malformed("No user name.");
  const auto client_nonce = attributes.Take('r');
  if (!client_nonce || !IsScramNonce(*client_nonce)) return Malformed("No or invalid nonce.");
  while (attributes.TakeAny()) {  // optional extensions
  }
  if (!attributes.AtEnd()) return Malformed("Attribute expected at the end.");
  nonce_.insert(0, *client_nonce);
  return absl::OkStatus();
}

absl::StatusOr<ScramServer::Success> ScramServer::Finish(std::string_view client_final) {
  if (std::exchange(state_, State::kDone) != State::kWaitFinal) {
    return Malformed("A client-final-message is not expected.");
  }
  const absl::StatusOr<ScramKey> proof = ReadClientFinal(client_final);
  if (!proof.ok()) return proof.status();

  const std::string auth_message =
      fmt::format("{},{},{}", client_first_bare_, server_first_, client_final_without_proof_);
  const ScramKey client_key = Xor(*proof, HmacSha256(verifier_.stored_key, auth_message));
  const ScramKey stored_key =
      Sha256({reinterpret_cast<const char*>(client_key.data()), client_key.size()});
  const bool proved = SameKey(stored_key, verifier_.stored_key);
  if (!proved || doomed_) {
    return SqlStatus(sqlstate::kInvalidPassword,
                     fmt::format("password authentication failed for user \"{}\"", user_));
  }
  const ScramKey signature = HmacSha256(verifier_.server_key, auth_message);
  return Success{.server_final = "v=" + Base64Encode(signature),
                 .keys = {.client_key = client_key,
                          .server_key = verifier_.server_key,
                          .stored_key = stored_key,
                          .salt = verifier_.salt,
                          .iterations = verifier_.iterations}};
}

absl::StatusOr<ScramKey> ScramServer::ReadClientFinal(std::string_view message) {
  if (const absl::Status size = CheckSize(message); !size.ok()) return size;
  ScramMessage attributes(message);
  const auto channel_binding = attributes.Take('c');
  if (!channel_binding) return Malformed("No channel binding.");
  if (*channel_binding != ExpectedChannelBinding(gs2_flag_)) {
    return Malformed("The channel binding is not that of the first message.");
  }
  const auto nonce = attributes.Take('r');
  if (!nonce) return Malformed("No nonce.");
  if (*nonce != nonce_) return Malformed("The nonce does not match.");

  // Extensions may stand before the proof, which is last.
  size_t proof_begin = attributes.position();
  while (!attributes.IsNext('p')) {
    if (!attributes.TakeAny()) return Malformed("No proof.");
    proof_begin = attributes.position();
  }
  const std::optional<ScramKey> proof = Base64DecodeKey(*attributes.Take('p'));
  if (!proof || !attributes.AtEnd()) return Malformed("The proof is not 32 bytes in Base64.");
  client_final_without_proof_ = message.substr(0, proof_begin - 1);  // without its comma
  return *proof;
}

}  // namespace meridian
