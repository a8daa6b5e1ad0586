// The answer to AuthenticationMD5Password (PostgreSQL: src/common/md5_common.c, pg_md5_encrypt).
// Pure, over OpenSSL's digest; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace meridian {

// "md5" and the hash of (the hash of password and user, in hexadecimal) and `salt`. nullopt where
// the cryptographic library refuses MD5 (FIPS).
[[nodiscard]] std::optional<std::string> Md5Password(std::string_view user,
                                                     std::string_view password,
                                                     std::string_view salt);

}  // namespace meridian
