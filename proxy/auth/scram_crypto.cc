#include "proxy/auth/scram_crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdlib>
#include <cstring>

namespace meridian {
namespace {

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

std::string_view Text(const ScramKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

}  // namespace

ScramKey Sha256(std::string_view data) {
  ScramKey digest;
  SHA256(Bytes(data), data.size(), digest.data());
  return digest;
}

ScramKey HmacSha256(std::string_view key, std::string_view data) {
  ScramKey digest;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(data), data.size(),
       digest.data(), nullptr);
  return digest;
}

ScramKey HmacSha256(const ScramKey& key, std::string_view data) {
  return HmacSha256(Text(key), data);
}

ScramKey Pbkdf2Sha256(std::string_view password, std::string_view salt, int iterations) {
  ScramKey key;
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), Bytes(salt),
                    static_cast<int>(salt.size()), iterations, EVP_sha256(),
                    static_cast<int>(key.size()), key.data());
  return key;
}

ScramKey Xor(const ScramKey& a, const ScramKey& b) {
  ScramKey result;
  for (size_t i = 0; i < result.size(); ++i) result[i] = a[i] ^ b[i];
  return result;
}

bool SameKey(const ScramKey& a, const ScramKey& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string Base64Encode(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL writes a final NUL
  const int length = EVP_EncodeBlock(reinterpret_cast<uint8_t*>(text.data()), Bytes(bytes),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::string Base64Encode(const ScramKey& key) { return Base64Encode(Text(key)); }

std::optional<std::string> Base64Decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<uint8_t*>(bytes.data()), Bytes(text),
                                     static_cast<int>(text.size()));
  if (length != static_cast<int>(bytes.size())) return std::nullopt;
  // OpenSSL decodes padding to zeros, and skips white space at the ends.
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  bytes.erase(bytes.size() - padding);
  if (Base64Encode(bytes) != text) return std::nullopt;
  return bytes;
}

std::optional<ScramKey> Base64DecodeKey(std::string_view text) {
  const std::optional<std::string> bytes = Base64Decode(text);
  ScramKey key;
  if (!bytes || bytes->size() != key.size()) return std::nullopt;
  std::memcpy(key.data(), bytes->data(), key.size());
  return key;
}

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<uint8_t*>(bytes.data()), static_cast<int>(count)) != 1) {
    std::abort();
  }
  return bytes;
}

std::string RandomNonce() {
  constexpr size_t kNonceBytes = 18;
  return Base64Encode(RandomBytes(kNonceBytes));
}

}  // namespace meridian
