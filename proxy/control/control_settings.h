// How the control threads reach the catalog and the nodes, and how often.
#pragma once

#include <chrono>
#include <string>

#include "proxy/config/config.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/store.h"

namespace meridian {

struct ControlSettings {
  // Constant after start.
  CatalogOptions catalog;
  ShardAccess shards;  // login.dbname: the database of shards that name none
  std::chrono::milliseconds mover_lease{6'000};  // 0: this process moves no key ranges
  std::chrono::milliseconds rebalance_interval{60'000};
  bool migrate = true;  // bring the catalog's schema up to this binary's version at the start
  std::string proxy;    // TransactionName::proxy of this process

  // Changed by ControlPlane::Reload.
  std::chrono::milliseconds node_check_interval{250};
  std::chrono::milliseconds replica_lag_max{30'000};
  std::chrono::milliseconds catalog_poll_interval{5'000};  // changes come by NOTIFY: a safety net
  std::chrono::milliseconds schema_poll_interval{5'000};
  std::chrono::milliseconds role_poll_interval{10'000};
  std::chrono::milliseconds transaction_recovery_interval{2'000};

  // ControlPlane::Start gives up where the catalog does not answer for so long.
  std::chrono::milliseconds start_timeout{30'000};
  // Refreshes of the roles that logins ask for are at least this far apart.
  std::chrono::milliseconds role_refresh_interval_min{1'000};
};

// A node that does not answer within this is down (or within config.connect_timeout, if shorter).
inline constexpr std::chrono::milliseconds kControlConnectTimeout{5'000};
inline constexpr std::chrono::milliseconds kControlStatementTimeout{30'000};
inline constexpr char kControlApplicationName[] = "meridian control";
// With ControlSettings::proxy behind it: on each shard, the proxies know by it who lives.
inline constexpr char kRecoveryApplicationName[] = "meridian recovery ";

// Sections [catalog] and [control]. The database of shards that name none is the first configured
// one, or else the catalog's. catalog.passfile is read by libpq at each login.
ControlSettings ControlSettingsOf(const Config& config);

}  // namespace meridian
