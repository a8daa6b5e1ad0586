// A portal of the admin database: a bound statement, and the rows of its answer that have not been
// fetched yet. Pure.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/admin/result_writer.h"
#include "sharding/admin/parser.h"
#include "sharding/admin/table_result.h"

namespace meridian {

struct AdminPortal {
  std::optional<AdminStatement> statement;  // nullopt: the empty statement
  ResultFormats formats;
  std::optional<AdminResult> result;  // after the first Execute
  size_t next_row = 0;
};

}  // namespace meridian
