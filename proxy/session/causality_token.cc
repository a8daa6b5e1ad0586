#include "proxy/session/causality_token.h"

#include <charconv>
#include <cstdio>
#include <optional>
#include <utility>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

// A token names each shard once; more is no token of ours.
constexpr size_t kPositionsMax = 4096;

std::optional<uint32_t> ReadHex(std::string_view text) {
  uint32_t value = 0;
  if (text.empty() || text.size() > 8) return std::nullopt;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> ReadName(std::string_view text) {
  std::string name;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      name += text[i];
      continue;
    }
    const std::string_view code = text.substr(i, 3);
    if (code != "%25" && code != "%2C") return std::nullopt;
    name += code == "%25" ? '%' : ',';
    i += 2;
  }
  if (name.empty()) return std::nullopt;
  return name;
}

std::optional<CausalPosition> ReadPosition(std::string_view text) {
  const size_t slash = text.find('/');
  const size_t at = text.find('@');
  if (slash == std::string_view::npos || at == std::string_view::npos || slash > at) {
    return std::nullopt;
  }
  const auto high = ReadHex(text.substr(0, slash));
  const auto low = ReadHex(text.substr(slash + 1, at - slash - 1));
  auto name = ReadName(text.substr(at + 1));
  if (!high || !low || !name) return std::nullopt;
  return CausalPosition{*std::move(name), Lsn{*high} << 32 | *low};
}

}  // namespace

std::string FormatCausalityToken(const std::vector<CausalPosition>& positions) {
  std::string token;
  for (const CausalPosition& position : positions) {
    char lsn[2 * 8 + 2];
    std::snprintf(lsn, sizeof lsn, "%X/%X", static_cast<unsigned>(position.lsn >> 32),
                  static_cast<unsigned>(position.lsn & 0xffffffff));
    token.append(token.empty() ? "" : ",").append(lsn).append("@");
    for (const char c : position.shard) {
      if (c == '%') {
        token += "%25";
      } else if (c == ',') {
        token += "%2C";
      } else {
        token += c;
      }
    }
  }
  return token;
}

absl::StatusOr<std::vector<CausalPosition>> ParseCausalityToken(std::string_view token) {
  std::vector<CausalPosition> positions;
  for (std::string_view rest = token; !rest.empty();) {
    const size_t comma = rest.find(',');
    auto position = ReadPosition(rest.substr(0, comma));
    const bool ends_in_comma = comma != std::string_view::npos && comma + 1 == rest.size();
    if (!position || ends_in_comma || positions.size() == kPositionsMax) {
      return SqlStatus(sqlstate::kInvalidParameterValue,
                       "invalid value for parameter \"" + std::string(kCausalityToken) + "\"",
                       "Use what SHOW meridian.causality_token has shown in another session.");
    }
    positions.push_back(*std::move(position));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return positions;
}

}  // namespace meridian
