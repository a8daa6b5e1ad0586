// The answer to an admin command that was executed on a control thread.
#pragma once

#include <absl/status/statusor.h>

#include <vector>

#include "sharding/admin/table_result.h"

namespace meridian {

// The notices come before the result on the wire.
struct CommandReply {
  absl::StatusOr<AdminResult> result;
  std::vector<AdminNotice> notices;
};

}  // namespace meridian
