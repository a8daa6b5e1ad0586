// Whether the proxies have followed a step of a move, from the catalog's table `proxies`
// (proxy/control/map_lease.h writes it). Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

// The proxies that have something under way which began with a map before `epoch`. One whose lease
// has run out counts until it is known to be gone: `lapsed`.
struct SlowProxy {
  std::string name;
  bool lapsed = false;
};
absl::StatusOr<std::vector<SlowProxy>> ProxiesBefore(PgConnection& catalog, Epoch epoch);

// The proxies that may still use the range, which is held since `epoch`. One whose lease has run
// out does not: it knows that the range moves.
absl::StatusOr<std::vector<SlowProxy>> ProxiesUsing(PgConnection& catalog, Epoch epoch,
                                                    const std::string& range);

// Forgets a proxy whose lease has run out, if it has no connection to the shards given. `prefix`
// and its name are the application name of those that it keeps to each shard. Whether it is gone.
absl::StatusOr<bool> ForgetIfGone(PgConnection& catalog, const std::string& proxy,
                                  const std::string& prefix,
                                  const std::vector<PgConnection*>& shards);

// "proxy a, proxy b", for people.
std::string NamesOf(const std::vector<SlowProxy>& proxies);

}  // namespace meridian
