// "The rows of these key ranges" as an SQL condition that any shard can evaluate with built-in
// functions alone: for checks, moves (row filters of publications) and ownership filters. Pure.
//
// A condition gives true exactly for the rows whose key Distribution::Locate finds in the ranges;
// for a row whose key holds a NULL it gives NULL or false, never true. So `WHERE condition` is
// right as it stands; negate it only by OutsideSql.
#pragma once

#include <absl/types/span.h>

#include <cstddef>
#include <string>
#include <vector>

#include "sharding/shard_map.h"

namespace meridian {

// The component of the key space that the column's value is, in the order of the map.
std::string ComponentSql(const KeyColumn& column, const std::string& sql);

// The condition for ranges()[index]. `columns_sql`: one SQL expression per key column, quoted and
// qualified as needed, of the column's own type.
std::string RangeSql(const Distribution& distribution, size_t index,
                     absl::Span<const std::string> columns_sql);

// The condition for all ranges that the shard owns; adjacent ones are joined. "false" where it owns
// none; "true" is never given, because of NULL keys.
std::string OwnedSql(const Distribution& distribution, ShardIndex owner,
                     absl::Span<const std::string> columns_sql);

// The condition for the interval of stray rows, which are of this distribution.
std::string StraySql(const Distribution& distribution, const StrayRows& rows,
                     absl::Span<const std::string> columns_sql);

// True for every row for which `condition` is not, NULL keys included.
std::string OutsideSql(const std::string& condition);

}  // namespace meridian
