// The objects of a move on its source that name what is followed: a publication, whose row filters
// are the key range. Blocking.
#pragma once

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <string>

#include "rebalance/stream/moved_table.h"

namespace meridian {

// INSERT, UPDATE and DELETE of the range's rows; partitions as their root. Any of that name is
// replaced. 55000 for servers before PostgreSQL 15, which have no row filters.
absl::Status MakePublication(PgConnection& source, const std::string& name,
                             absl::Span<const MovedTable> tables);
absl::Status DropPublication(PgConnection& source, const std::string& name);

}  // namespace meridian
