// One look at one node. Blocking.
#pragma once

#include <optional>

#include "proxy/control/node_states.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

// Asks the node what it is, over `connection`, which is made where there is none and kept for the
// next look. A connection that turns out to be dead is made anew once, so that a terminated backend
// is no dead node. `last`: the state until now; what a node that does not answer cannot tell stays.
// `lsn`: see NodeSamples::Sample.
NodeState CheckNode(const PgTarget& target, NodeState last, std::optional<PgConnection>& connection,
                    Lsn* lsn);

}  // namespace meridian
