// The shard of a row, from the fields of its key.
#pragma once

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "router/copy/copy_row.h"
#include "sharding/client_encoding.h"
#include "sharding/shard_map.h"

namespace meridian {

class RowLocator {
 public:
  // `distribution`: index into the map's distributions. `binary`: fields are as receive functions
  // get them.
  // `modifiers`: pg_attribute.atttypmod of each key column; empty: none.
  RowLocator(std::shared_ptr<const ShardMap> map, size_t distribution, bool binary,
             std::vector<int32_t> modifiers = {})
      : map_(std::move(map)),
        distribution_(map_->distributions()[distribution]),
        binary_(binary),
        modifiers_(std::move(modifiers)) {}

  // One field per key column, in this encoding. 23502 for a NULL, the type's own errors for a value
  // that is none, 0A000 for one that only the server can read or that the column rounds or cuts.
  absl::StatusOr<ShardIndex> Locate(absl::Span<const CopyField> fields, ClientEncoding encoding,
                                    uint64_t line);

 private:
  const std::shared_ptr<const ShardMap> map_;
  const Distribution& distribution_;
  const bool binary_;
  const std::vector<int32_t> modifiers_;
  KeyTuple key_;
  std::string converted_;  // scratch
};

}  // namespace meridian
