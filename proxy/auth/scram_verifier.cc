#include "proxy/auth/scram_verifier.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <optional>
#include <utility>

#include "proxy/auth/scram_message.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr std::string_view kPrefix = "SCRAM-SHA-256$";

absl::Status Malformed(std::string_view what) {
  return SqlStatus(sqlstate::kInvalidParameterValue,
                   fmt::format("malformed SCRAM-SHA-256 verifier: {}", what),
                   "Take it from pg_authid.rolpassword, or make one with "
                   "\"meridian --make-verifier\".");
}

// Cuts what stands before the first `separator` off the front of `text`.
std::optional<std::string_view> CutUntil(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(end + 1);
  return head;
}

absl::Status CheckCost(std::string_view salt, int iterations) {
  if (iterations < 1 || iterations > kScramIterationsMax) {
    return SqlStatus(sqlstate::kInvalidParameterValue,
                     fmt::format("a SCRAM iteration count of {} is not supported", iterations),
                     fmt::format("Use from 1 to {} (scram_iterations).", kScramIterationsMax));
  }
  if (salt.empty() || salt.size() > kScramSaltBytesMax) {
    return SqlStatus(sqlstate::kInvalidParameterValue,
                     fmt::format("a SCRAM salt of {} bytes is not supported", salt.size()),
                     fmt::format("Use from 1 to {} bytes.", kScramSaltBytesMax));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsScramVerifier(std::string_view rolpassword) { return rolpassword.starts_with(kPrefix); }

absl::StatusOr<ScramVerifier> ParseScramVerifier(std::string_view rolpassword) {
  if (!IsScramVerifier(rolpassword)) return Malformed("it does not begin with SCRAM-SHA-256$");
  std::string_view rest = rolpassword.substr(kPrefix.size());
  const auto iterations = CutUntil(rest, ':');
  if (!iterations) return Malformed("no iteration count");
  const auto salt = CutUntil(rest, '$');
  if (!salt) return Malformed("no salt");
  const auto stored_key = CutUntil(rest, ':');
  if (!stored_key) return Malformed("no StoredKey");

  ScramVerifier verifier;
  const std::optional<int> number = ParseScramNumber(*iterations);
  if (!number) return Malformed("the iteration count is not a number");
  verifier.iterations = *number;
  if (salt->size() > 2 * kScramSaltBytesMax) return Malformed("the salt is too long");
  std::optional<std::string> salt_bytes = Base64Decode(*salt);
  if (!salt_bytes) return Malformed("the salt is not Base64");
  verifier.salt = std::move(*salt_bytes);
  const auto stored = Base64DecodeKey(*stored_key);
  if (!stored) return Malformed("the StoredKey is not 32 bytes in Base64");
  verifier.stored_key = *stored;
  const auto server = Base64DecodeKey(rest);
  if (!server) return Malformed("the ServerKey is not 32 bytes in Base64");
  verifier.server_key = *server;
  if (const absl::Status cost = CheckCost(verifier.salt, verifier.iterations); !cost.ok()) {
    return cost;
  }
  return verifier;
}

std::string FormatScramVerifier(const ScramVerifier& verifier) {
  return fmt::format("{}{}:{}${}:{}", kPrefix, verifier.iterations, Base64Encode(verifier.salt),
                     Base64Encode(verifier.stored_key), Base64Encode(verifier.server_key));
}

absl::StatusOr<ScramKeys> DeriveKeys(std::string_view password, std::string_view salt,
                                     int iterations) {
  if (password.empty()) {
    return SqlStatus(sqlstate::kInvalidParameterValue, "the password is empty",
                     "PostgreSQL accepts no empty password either: set one.");
  }
  if (const absl::Status cost = CheckCost(salt, iterations); !cost.ok()) return cost;
  ScramKey salted_password = Pbkdf2Sha256(password, salt, iterations);
  ScramKeys keys;
  keys.client_key = HmacSha256(salted_password, "Client Key");
  keys.server_key = HmacSha256(salted_password, "Server Key");
  OPENSSL_cleanse(salted_password.data(), salted_password.size());
  keys.stored_key =
      Sha256({reinterpret_cast<const char*>(keys.client_key.data()), keys.client_key.size()});
  keys.salt = salt;
  keys.iterations = iterations;
  return keys;
}

absl::StatusOr<ScramVerifier> MakeScramVerifier(std::string_view password, std::string_view salt,
                                                int iterations) {
  absl::StatusOr<ScramKeys> keys = DeriveKeys(password, salt, iterations);
  if (!keys.ok()) return keys.status();
  return ScramVerifier{.salt = std::move(keys->salt),
                       .iterations = keys->iterations,
                       .stored_key = keys->stored_key,
                       .server_key = keys->server_key};
}

ScramVerifier MockScramVerifier(std::string_view user, std::string_view secret, int iterations) {
  const ScramKey salt = HmacSha256(secret, fmt::format("salt:{}", user));
  const ScramKey key = HmacSha256(secret, fmt::format("key:{}", user));
  return {.salt = std::string(reinterpret_cast<const char*>(salt.data()), kScramSaltBytes),
          .iterations = iterations,
          .stored_key = key,
          .server_key = key};
}

}  // namespace meridian
