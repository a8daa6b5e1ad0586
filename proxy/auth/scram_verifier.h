// What a SCRAM-SHA-256 server knows of a password: the verifier in pg_authid.rolpassword
//   SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>      (all but the number in Base64)
// (PostgreSQL: src/backend/libpq/auth-scram.c, src/common/scram-common.c; RFC 5802, RFC 7677), and
// the keys that a client derives from the password. Pure; any thread.
//
// SASLprep (RFC 4013): an ASCII password is its own normal form. A password with other characters
// is used as the bytes it is given in, which is what PostgreSQL does when normalization fails; the
// two differ only for text that is not in normal form NFKC (ligatures, full-width letters,
// non-breaking spaces, separate accents). This matters only where Meridian is given a plain
// password (password file, admin users); a client's own password is normalized by its driver.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "proxy/auth/scram_crypto.h"

namespace meridian {

inline constexpr int kScramDefaultIterations = 4096;  // PostgreSQL's scram_iterations
inline constexpr size_t kScramSaltBytes = 16;         // of verifiers made here, as PostgreSQL's
// The most that a server may ask of us (about 50 ms of CPU), and that a verifier may hold.
inline constexpr int kScramIterationsMax = 100'000;
inline constexpr size_t kScramSaltBytesMax = 1024;

struct ScramVerifier {
  std::string salt;  // bytes, not Base64
  int iterations = 0;
  ScramKey stored_key{};
  ScramKey server_key{};

  friend bool operator==(const ScramVerifier&, const ScramVerifier&) = default;
};

// The keys of one password under one salt and iteration count. Whoever has them can log in as the
// role wherever its verifier is the same: they are secret, but the password is not in them.
struct ScramKeys {
  ScramKey client_key{};
  ScramKey server_key{};
  ScramKey stored_key{};  // Sha256(client_key)
  std::string salt;       // bytes, not Base64
  int iterations = 0;

  friend bool operator==(const ScramKeys&, const ScramKeys&) = default;
};

// Whether rolpassword looks like a SCRAM verifier (it may still be malformed) rather than an MD5
// hash or a plain password.
[[nodiscard]] bool IsScramVerifier(std::string_view rolpassword);

// 22023 if it is not a well-formed verifier or its iterations or salt exceed the limits above.
// The message never contains the text.
[[nodiscard]] absl::StatusOr<ScramVerifier> ParseScramVerifier(std::string_view rolpassword);
[[nodiscard]] std::string FormatScramVerifier(const ScramVerifier& verifier);

// The keys of a password. Slow by design (2 ms of CPU for 4096 iterations): call it off the event
// loop and keep the result. 22023 for an empty password or salt or iterations beyond the limits.
[[nodiscard]] absl::StatusOr<ScramKeys> DeriveKeys(std::string_view password, std::string_view salt,
                                                   int iterations);

// A new verifier of a password, by default with a random salt. As slow and as picky as DeriveKeys.
[[nodiscard]] absl::StatusOr<ScramVerifier> MakeScramVerifier(
    std::string_view password, std::string_view salt = RandomBytes(kScramSaltBytes),
    int iterations = kScramDefaultIterations);

// A verifier that no password satisfies, for a user that has none (unknown, NOLOGIN, password
// expired, not SCRAM). The same user always gets the same salt from the same secret, so that a
// client cannot tell whether the user exists. `secret`: random bytes kept by the process;
// `iterations`: what real verifiers have. (PostgreSQL: mock_scram_secret.)
[[nodiscard]] ScramVerifier MockScramVerifier(std::string_view user, std::string_view secret,
                                              int iterations = kScramDefaultIterations);

}  // namespace meridian
