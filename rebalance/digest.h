// Whether the rows of a key range are the same on two shards, without moving them: sums of hashes,
// for which the order of rows does not matter, by bucket. Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "rebalance/stream/moved_table.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

struct BucketDigest {
  uint64_t rows = 0;
  std::string sum;  // of 64-bit hashes of the rows: numeric
  friend bool operator==(const BucketDigest&, const BucketDigest&) = default;
};
using Digest = std::map<uint32_t, BucketDigest>;  // buckets without rows are left out

// Rows fall into `buckets` (a power of 2) by a hash of their replica identity; all of one row's
// versions into the same. Only buckets in `only` are looked at, unless it is empty. The connection
// is one of OpenSnapshot or OpenForRows, whose settings make the text of a row the same everywhere.
absl::StatusOr<Digest> DigestRows(PgConnection& connection, const MovedTable& table,
                                  uint32_t buckets, const std::vector<uint32_t>& only = {});

// The buckets that are not the same.
std::vector<uint32_t> DifferingBuckets(const Digest& a, const Digest& b);

}  // namespace meridian
