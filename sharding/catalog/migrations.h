// The SQL files of sql/, embedded at build time.
#pragma once

#include <absl/types/span.h>

#include <string_view>

namespace meridian {

struct Migration {
  int version;            // from 1, without gaps
  std::string_view name;  // "0001_shard_map"
  std::string_view sql;
};

// The catalog's schema. Ascending by version.
absl::Span<const Migration> Migrations();

// sql/shard/support.sql: see sharding/catalog/shard_support.h.
std::string_view ShardSupportSql();

}  // namespace meridian
