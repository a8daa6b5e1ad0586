// meridian.causality_token: what a session must find, for another session, perhaps on another
// proxy. Positions in the logs of shards: `0/3000060@s1,0/50000A8@s2`, in names % and comma as %25
// and %2C.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "proxy/control/node_samples.h"

namespace meridian {

inline constexpr std::string_view kCausalityToken = "meridian.causality_token";

struct CausalPosition {
  std::string shard;
  Lsn lsn;
  friend bool operator==(const CausalPosition&, const CausalPosition&) = default;
};

std::string FormatCausalityToken(const std::vector<CausalPosition>& positions);
// 22023 where it is none. Empty: no position.
absl::StatusOr<std::vector<CausalPosition>> ParseCausalityToken(std::string_view token);

}  // namespace meridian
