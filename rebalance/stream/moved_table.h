// A table of which the rows of one key range are copied and followed to another shard.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

struct MovedTable {
  TableName name;
  std::vector<std::string> columns;  // all but generated ones, in their order
  std::vector<std::string> types;    // theirs
  std::vector<std::string>
      settable;  // those that an UPDATE may set: no GENERATED ALWAYS AS IDENTITY
  // By which a row is found: of the primary key or the replica identity's index; or all columns,
  // where any of the rows that are the same will do.
  std::vector<std::string> identity;
  bool by_whole_row = false;
  // What an UPDATE or DELETE logs of the row must be made whole first (full_identity.h).
  bool needs_full_identity = false;
  std::vector<std::string> keys;  // of the distribution
  std::string condition;          // true for the rows of the range (sharding/range_sql.h)
};

// The table as the source has it. `table` is of `distribution`, the range is ranges()[range]. 55000
// where what its UPDATEs and DELETEs log does not say which row they were of, or not where it was:
// that needs a primary key, or an index as replica identity, which contains the distribution key,
// or REPLICA IDENTITY FULL, also of the partitions; unless `full_identity` may give it that.
absl::StatusOr<MovedTable> ReadMovedTable(PgConnection& source, const MappedTable& table,
                                          const Distribution& distribution, size_t range,
                                          bool full_identity);

}  // namespace meridian
