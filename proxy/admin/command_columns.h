// The columns of what the proxy itself answers, known without executing it (Describe). Pure.
#pragma once

#include <vector>

#include "sharding/admin/command.h"
#include "sharding/admin/table_result.h"

namespace meridian {

// Of commands of the rooms kProxy and kCatalog; empty: it returns no rows. Those of the other rooms
// are MapColumns, HelpColumns and SessionColumns (sharding/admin).
std::vector<AdminColumn> CommandColumns(const Command& command);

}  // namespace meridian
