#include "proxy/pool/md5_password.h"

#include <openssl/evp.h>

#include <array>

namespace meridian {
namespace {

std::optional<std::string> Md5Hex(std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  if (EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_md5(), nullptr) != 1) {
    return std::nullopt;
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex.push_back(kDigits[digest[i] >> 4]);
    hex.push_back(kDigits[digest[i] & 15]);
  }
  return hex;
}

}  // namespace

std::optional<std::string> Md5Password(std::string_view user, std::string_view password,
                                       std::string_view salt) {
  std::string salted(password);
  salted.append(user);
  const auto inner = Md5Hex(salted);
  if (!inner) return std::nullopt;
  const auto outer = Md5Hex(*inner + std::string(salt));
  if (!outer) return std::nullopt;
  return "md5" + *outer;
}

}  // namespace meridian
