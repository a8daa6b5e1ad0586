// Some rows of a table, by its pages, instead of all of them. Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

struct SampledTable {
  TableName name;
  uint64_t bytes = 0;    // of its rows' files, and those of its partitions
  double percent = 100;  // of its rows that are in the sample, about

  // To stand in FROM, as "t".
  std::string Sql() const;
};

absl::StatusOr<SampledTable> SampleTable(PgConnection& shard, const TableName& table);

}  // namespace meridian
