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
  std::vector<std::string>
      settable;  // those that an UPDATE may set: no GENERATED ALWAYS AS IDENTITY
  std::vector<std::string> identity;  // the replica identity's
  std::string condition;              // true for the rows of the range (sharding/range_sql.h)
};

// The table as the source has it. `table` is of `distribution`, the range is ranges()[range]. 55000
// where its replica identity does not say which row an UPDATE or DELETE was of: it must be the
// primary key or a unique index (on all partitions), and contain the distribution key.
absl::StatusOr<MovedTable> ReadMovedTable(PgConnection& source, const MappedTable& table,
                                          const Distribution& distribution, size_t range);

}  // namespace meridian
