// The catalog's schema as numbered migrations, embedded from sql/ at build time.
#pragma once

#include <absl/types/span.h>

#include <string_view>

namespace meridian {

struct Migration {
  int version;            // from 1, without gaps
  std::string_view name;  // "0001_shard_map"
  std::string_view sql;
};

// Ascending by version.
absl::Span<const Migration> Migrations();

}  // namespace meridian
