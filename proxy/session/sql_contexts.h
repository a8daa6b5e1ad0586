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
  // the server's default search path. Lives as long as this object.
  const SqlContext& Of(std::string_view user, std::string_view default_search_path,
                       const Settings& session, const Settings& local);
  // Whether a context depends on the setting (its name in small letters).
  static bool DependOn(std::string_view setting);

 private:
  StringMap<std::unique_ptr<SqlContext>> by_key_;
};

// Whether Meridian can read statements in this client_encoding: UTF8, and SQL_ASCII, which servers
// take for their own encoding. In another one the bytes of a text key are not those that a server
// hashes, and in some (SJIS, BIG5, GBK...) a byte below 0x80 may be a part of a longer character,
// so that no lexer that reads bytes can be trusted.
bool IsSupportedClientEncoding(std::string_view name);
absl::Status UnsupportedClientEncoding(std::string_view name);

}  // namespace meridian
