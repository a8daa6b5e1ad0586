#include "proxy/control/control_settings.h"

#include <algorithm>
#include <cstdint>

namespace meridian {
namespace {

PgTarget Login(const Config& config) {
  const CatalogConfig& catalog = config.catalog;
  PgTarget login;
  login.address = {catalog.host, static_cast<uint16_t>(catalog.port)};
  login.dbname = catalog.dbname;
  login.user = catalog.user;
  login.password = catalog.password;
  if (!catalog.passfile.empty()) login.parameters.emplace_back("passfile", catalog.passfile);
  login.application_name = kControlApplicationName;
  login.connect_timeout = std::min(kControlConnectTimeout, config.connect_timeout);
  login.statement_timeout = kControlStatementTimeout;
  return login;
}

}  // namespace

ControlSettings ControlSettingsOf(const Config& config) {
  ControlSettings settings;
  settings.catalog.target = Login(config);
  settings.shards.login = Login(config);
  PgTarget& shards = settings.shards.login;
  if (!config.databases.empty()) shards.dbname = config.databases.front().name;
  if (!config.control.user.empty() && config.control.user != shards.user) {
    // The catalog's password is not this user's: the password file has it.
    shards.user = config.control.user;
    shards.password.clear();
  }
  settings.node_check_interval = config.control.node_check_interval;
  settings.replica_lag_max = config.replicas.max_lag;
  settings.catalog_poll_interval = config.control.catalog_poll_interval;
  settings.schema_poll_interval = config.control.schema_poll_interval;
  settings.role_poll_interval = config.control.role_poll_interval;
  settings.rebalance_interval = config.control.rebalance_interval;
  settings.mover_lease = config.control.mover_lease;
  settings.transaction_recovery_interval = config.control.transaction_recovery_interval;
  return settings;
}

}  // namespace meridian
