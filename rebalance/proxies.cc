#include "rebalance/proxies.h"

namespace meridian {
namespace {

std::vector<SlowProxy> ReadProxies(const PgResult& result) {
  std::vector<SlowProxy> proxies;
  for (size_t r = 0; r < result.rows(); ++r) {
    proxies.push_back({result.Text(r, 0), result.Get(r, 1) == "t"});
  }
  return proxies;
}

}  // namespace

absl::StatusOr<std::vector<SlowProxy>> ProxiesBefore(PgConnection& catalog, Epoch epoch) {
  auto found = catalog.Query(
      "SELECT proxy, lease_until < now() FROM proxies WHERE epoch < $1 OR in_use < $1 ORDER BY 1",
      {{std::to_string(epoch.value)}});
  if (!found.ok()) return found.status();
  return ReadProxies(*found);
}

absl::StatusOr<std::vector<SlowProxy>> ProxiesUsing(PgConnection& catalog, Epoch epoch,
                                                    const std::string& range) {
  auto found = catalog.Query(
      "SELECT proxy, false FROM proxies WHERE lease_until >= now() AND (epoch < $1 OR $2 = "
      "ANY(busy)) ORDER BY 1",
      {{std::to_string(epoch.value)}, {range}});
  if (!found.ok()) return found.status();
  return ReadProxies(*found);
}

absl::StatusOr<bool> ForgetIfGone(PgConnection& catalog, const std::string& proxy,
                                  const std::string& prefix,
                                  const std::vector<PgConnection*>& shards) {
  for (PgConnection* const shard : shards) {
    auto there = shard->Query("SELECT 1 FROM pg_stat_activity WHERE application_name = $1",
                              {{prefix + proxy}});
    if (!there.ok()) return there.status();
    if (there->rows() > 0) return false;
  }
  auto gone =
      catalog.Query("DELETE FROM proxies WHERE proxy = $1 AND lease_until < now()", {{proxy}});
  if (!gone.ok()) return gone.status();
  return gone->affected() == 1;
}

std::string NamesOf(const std::vector<SlowProxy>& proxies) {
  std::string names;
  for (const SlowProxy& proxy : proxies) {
    names += (names.empty() ? "proxy " : ", proxy ") + proxy.name +
             (proxy.lapsed ? " (which does not answer)" : "");
  }
  return names;
}

}  // namespace meridian
