// The SHOW commands about what this process knows without asking its workers: NODES and SETTINGS.
// Pure.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/control/command_reply.h"
#include "proxy/control/control_plane.h"
#include "proxy/control/snapshot.h"
#include "sharding/admin/command.h"
#include "sharding/admin/table_result.h"

namespace meridian {

// nullopt: another subject.
std::optional<std::vector<AdminColumn>> ControlColumns(ShowSubject subject);

// NODES comes with a warning for each part of the picture that is old because it cannot be read
// now. Precondition: ControlColumns knows the subject.
CommandReply AnswerFromControl(const Show& show, const Snapshot& snapshot, const Config& config,
                               const ControlStatus& control);

// Catalog, schema or roles that cannot be read at present: what is served is the last that was.
std::vector<AdminNotice> ControlWarnings(const ControlStatus& control);

}  // namespace meridian
