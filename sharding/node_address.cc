#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sharding/ascii.h"
#include "sharding/shard_map.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr size_t kHostBytesMax = 255;

absl::Status Invalid(std::string_view text) {
  constexpr size_t kShownBytes = 200;
  return SqlStatus(sqlstate::kInvalidParameterValue,
                   fmt::format("invalid node address: \"{}\"", text.substr(0, kShownBytes)),
                   "Write host:port, [IPv6 address]:port, or /directory:port.");
}

bool IsAlphanumeric(char c) {
  return IsAsciiDigit(c) || (AsciiLower(c) >= 'a' && AsciiLower(c) <= 'z');
}

bool OnlyOf(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [others](char c) {
    return IsAlphanumeric(c) || others.find(c) != std::string_view::npos;
  });
}

// A directory of sockets: no control characters, and no comma, at which libpq would cut it in two.
bool IsDirectory(std::string_view host) {
  return std::none_of(host.begin(), host.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == ',';
  });
}

bool IsHost(std::string_view host) {
  if (host.empty() || host.size() > kHostBytesMax) return false;
  return host[0] == '/' ? IsDirectory(host) : OnlyOf(host, "._-");
}

bool IsIpV6(std::string_view host) {
  return host.size() <= kHostBytesMax && host.find(':') != std::string_view::npos &&
         OnlyOf(host, ":.%");
}

}  // namespace

absl::StatusOr<NodeAddress> ParseNodeAddress(std::string_view text) {
  NodeAddress address;
  std::string_view rest;  // what follows the host: nothing, or ":port"
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || !IsIpV6(text.substr(1, close - 1))) return Invalid(text);
    address.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
  } else {
    const size_t colon = std::min(text.rfind(':'), text.size());
    if (!IsHost(text.substr(0, colon))) return Invalid(text);
    address.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (rest.empty()) return address;
  const std::string_view port = rest.substr(1);
  constexpr size_t kPortDigitsMax = 5;
  if (rest[0] != ':' || port.size() > kPortDigitsMax || LeadingDigits(port) != port.size()) {
    return Invalid(text);
  }
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (parsed.ec != std::errc() || address.port == 0) return Invalid(text);
  return address;
}

std::string NodeAddress::ToString() const {
  if (host.find(':') != std::string::npos && host[0] != '/') {
    return fmt::format("[{}]:{}", host, port);
  }
  return fmt::format("{}:{}", host, port);
}

}  // namespace meridian
