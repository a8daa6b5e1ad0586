// The few primitives that SCRAM-SHA-256 needs, over OpenSSL: no I/O, no state, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meridian {

// A SHA-256 digest: ClientKey, StoredKey, ServerKey, proofs and signatures all have this size.
using ScramKey = std::array<uint8_t, 32>;

[[nodiscard]] ScramKey Sha256(std::string_view data);
[[nodiscard]] ScramKey HmacSha256(std::string_view key, std::string_view data);
[[nodiscard]] ScramKey HmacSha256(const ScramKey& key, std::string_view data);
// Hi() of RFC 5802: slow by design, about 0.5 us per iteration. Precondition: iterations > 0.
[[nodiscard]] ScramKey Pbkdf2Sha256(std::string_view password, std::string_view salt,
                                    int iterations);
[[nodiscard]] ScramKey Xor(const ScramKey& a, const ScramKey& b);
// Takes the same time wherever the keys differ.
[[nodiscard]] bool SameKey(const ScramKey& a, const ScramKey& b);

// RFC 4648 section 4. Decode takes only what Encode makes: no white space, padding complete.
[[nodiscard]] std::string Base64Encode(std::string_view bytes);
[[nodiscard]] std::string Base64Encode(const ScramKey& key);
[[nodiscard]] std::optional<std::string> Base64Decode(std::string_view text);
[[nodiscard]] std::optional<ScramKey> Base64DecodeKey(std::string_view text);

// From the cryptographic generator of the process; ends the process if that fails, because
// nothing that follows would be safe.
[[nodiscard]] std::string RandomBytes(size_t count);
// 18 random bytes in Base64, as PostgreSQL's nonces.
[[nodiscard]] std::string RandomNonce();

}  // namespace meridian
