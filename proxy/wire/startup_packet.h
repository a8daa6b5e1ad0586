// The first packet of a connection: it has a length and no type.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace meridian::wire {

inline constexpr uint32_t kProtocol30 = 3 << 16;
inline constexpr uint32_t kSslRequestCode = 1234 << 16 | 5679;
inline constexpr uint32_t kGssEncRequestCode = 1234 << 16 | 5680;
inline constexpr uint32_t kCancelRequestCode = 1234 << 16 | 5678;
// MAX_STARTUP_PACKET_LENGTH (PostgreSQL: src/include/libpq/pqcomm.h), and the smallest: length and
// code.
inline constexpr uint32_t kMaxStartupBytes = 10000;
inline constexpr uint32_t kMinStartupBytes = 8;

struct SslRequest {};
struct GssEncRequest {};
struct CancelRequest {
  uint32_t pid = 0;
  std::string secret;  // 4 bytes, up to 256 in protocol 3.2
};
struct StartupMessage {
  uint16_t major = 3;
  uint16_t minor = 0;
  std::string user;
  std::string database;  // the user's name where the client named none
  // Everything else that is a setting, `options` split into settings, in the client's order (a
  // later one wins).
  std::vector<std::pair<std::string, std::string>> settings;
  bool replication = false;
  std::vector<std::string> unknown_protocol_options;  // _pq_.*
};
using StartupPacket = std::variant<SslRequest, GssEncRequest, CancelRequest, StartupMessage>;

// `packet` is whole: its first four bytes are its length, which the caller has checked against the
// limits. An error is what PostgreSQL would answer as FATAL: 08P01 for a broken layout, 0A000 for
// another major version, 28000 without a user.
absl::StatusOr<StartupPacket> ParseStartupPacket(std::string_view packet);
// Whether it was meant as a CancelRequest, well-formed or not.
bool IsCancelRequest(std::string_view packet);

// "-c a=b --c-d=e -cf=g", backslash escapes the next character (PostgreSQL: pg_split_opts and
// process_postgres_switches). Any other switch is an error, 42601... as the server says.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseOptions(
    std::string_view text);

// NegotiateProtocolVersion: the newest minor version that Meridian speaks (3.0), and the options it
// does not know.
void AppendNegotiateProtocolVersion(std::string& out,
                                    const std::vector<std::string>& unknown_options);

}  // namespace meridian::wire
