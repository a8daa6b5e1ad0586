// Interns SqlContexts: the settings on which the meaning of a text depends. One per worker.
#pragma once

#include <absl/status/status.h>

#include <memory>
#include <string>
#include <string_view>

#include "proxy/pool/settings.h"
#include "router/router.h"
#include "sharding/string_map.h"

namespace meridian {

class SqlContexts {
 public:
  // The context of a session of `user` with these settings: `local` (SET LOCAL) over `session` over
  // `defaults` (PoolProfile). Lives as long as this object.
  const SqlContext& Of(std::string_view user, const Settings& defaults, const Settings& session,
                       const Settings& local);
  // Whether a context depends on the setting (its name in small letters).
  static bool DependOn(std::string_view setting);

 private:
  StringMap<std::unique_ptr<SqlContext>> by_key_;
};

// 0A000 for a client_encoding in which nothing can be read (EmbedsAscii). OK for a name that no
// server knows: a server says so.
absl::Status CheckClientEncoding(std::string_view name);

}  // namespace meridian
