#include "proxy/auth/scram_client.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "proxy/auth/scram_message.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr std::string_view kGs2Header = "n,,";           // no channel binding
constexpr std::string_view kGs2HeaderInBase64 = "biws";  // of kGs2Header

}  // namespace

ScramClient::ScramClient(std::string user, std::string where, std::string nonce)
    : user_(std::move(user)),
      where_(std::move(where)),
      nonce_(std::move(nonce)),
      // As libpq: PostgreSQL takes the user's name from the start-up message.
      client_first_bare_(fmt::format("n=,r={}", nonce_)) {}

std::string ScramClient::ClientFirst() const {
  return fmt::format("{}{}", kGs2Header, client_first_bare_);
}

absl::Status ScramClient::Malformed(std::string_view what) {
  state_ = State::kFailed;
  return SqlStatus(sqlstate::kProtocolViolation,
                   fmt::format("the SCRAM login as \"{}\" on {} failed: {}", user_, where_, what),
                   "Check that this address is a PostgreSQL server.");
}

absl::Status ScramClient::ReadServerFirst(std::string_view server_first) {
  if (state_ != State::kStart) return Malformed("a second server-first-message");
  if (server_first.size() > kScramMessageBytesMax) return Malformed("a message that is too long");
  ScramMessage attributes(server_first);
  const auto nonce = attributes.Take('r');
  if (!nonce || !IsScramNonce(*nonce)) return Malformed("no nonce in its first message");
  if (!nonce->starts_with(nonce_) || nonce->size() == nonce_.size()) {
    return Malformed("the server's nonce does not extend ours");
  }
  const auto salt = attributes.Take('s');
  std::optional<std::string> salt_bytes = salt ? Base64Decode(*salt) : std::nullopt;
  if (!salt_bytes || salt_bytes->empty() || salt_bytes->size() > kScramSaltBytesMax) {
    return Malformed("no valid salt in its first message");
  }
  const auto iterations = attributes.Take('i');
  const auto number = iterations ? ParseScramNumber(*iterations) : std::nullopt;
  if (!number || *number < 1) return Malformed("no valid iteration count in its first message");
  if (*number > kScramIterationsMax) {
    return Malformed(
        fmt::format("it asks for {} iterations, more than {}", *number, kScramIterationsMax));
  }
  while (attributes.TakeAny()) {  // optional extensions
  }
  if (!attributes.AtEnd()) return Malformed("garbage in its first message");
  nonce_ = *nonce;
  server_first_ = server_first;
  challenge_ = {.salt = std::move(*salt_bytes), .iterations = *number};
  state_ = State::kChallenged;
  return absl::OkStatus();
}

bool ScramClient::Answers(const ScramKeys& keys) const {
  return keys.salt == challenge_.salt && keys.iterations == challenge_.iterations;
}

absl::StatusOr<std::string> ScramClient::ClientFinal(const ScramKeys& keys) {
  if (state_ != State::kChallenged) return Malformed("it has not sent its first message");
  if (!Answers(keys)) {
    state_ = State::kFailed;
    return SqlStatus(
        sqlstate::kInvalidPassword,
        fmt::format("the password of role \"{}\" is not the same verifier on {}", user_, where_),
        "Give the role the same rolpassword on every shard: read it from pg_authid on one and set "
        "it on the others by ALTER ROLE ... PASSWORD 'SCRAM-SHA-256$...'; or put the password of "
        "the role in server.password_file.",
        "Its salt or iteration count differs from that of the verifier that the client logged in "
        "with.");
  }
  const std::string without_proof = fmt::format("c={},r={}", kGs2HeaderInBase64, nonce_);
  const std::string auth_message =
      fmt::format("{},{},{}", client_first_bare_, server_first_, without_proof);
  const ScramKey proof = Xor(keys.client_key, HmacSha256(keys.stored_key, auth_message));
  server_signature_ = HmacSha256(keys.server_key, auth_message);
  state_ = State::kWaitFinal;
  return fmt::format("{},p={}", without_proof, Base64Encode(proof));
}

absl::Status ScramClient::CheckServerFinal(std::string_view server_final) {
  if (state_ != State::kWaitFinal) return Malformed("an unexpected server-final-message");
  if (server_final.size() > kScramMessageBytesMax) return Malformed("a message that is too long");
  state_ = State::kFailed;
  ScramMessage attributes(server_final);
  if (attributes.IsNext('e')) {
    return SqlStatus(sqlstate::kInvalidPassword,
                     fmt::format("{} refused the SCRAM login as \"{}\"", where_, user_),
                     "Check the role's password there.");
  }
  const auto verifier = attributes.Take('v');
  const std::optional<ScramKey> signature = verifier ? Base64DecodeKey(*verifier) : std::nullopt;
  if (!signature) return Malformed("no valid signature in its final message");
  while (attributes.TakeAny()) {  // optional extensions
  }
  if (!attributes.AtEnd()) return Malformed("garbage in its final message");
  if (!SameKey(*signature, server_signature_)) {
    return SqlStatus(
        sqlstate::kInvalidPassword,
        fmt::format("{} did not prove that it knows the password of role \"{}\"", where_, user_),
        "Check that this address is the server that you mean.");
  }
  state_ = State::kDone;
  return absl::OkStatus();
}

}  // namespace meridian
