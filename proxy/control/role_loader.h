// Reads the roles of a server. Blocking.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "proxy/control/roles.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

// Remembers what it read last. One thread at a time.
class RoleLoader {
 public:
  // From pg_authid. Where the control role may not read that, from pg_roles (no verifiers: all
  // passwords are kNotAllowed), with a warning in the log, once. The same object as before where
  // nothing has changed.
  absl::StatusOr<std::shared_ptr<const Roles>> Load(PgConnection& connection);

 private:
  std::shared_ptr<const Roles> roles_;
  bool warned_ = false;
};

}  // namespace meridian
