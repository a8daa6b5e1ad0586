// Interns SqlContexts: the settings on which the meaning of a text depends. One per worker.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/pool/settings.h"
#include "router/router.h"
#include "sharding/string_map.h"

namespace meridian {

class SqlContexts {
 public:
  // The context of a session of `user` with these settings: `local` (SET LOCAL) over `session` over the
  // server's default search path. Lives as long as this object.
  const SqlContext& Of(std::string_view user, std::string_view default_search_path, const Settings& session,
                       const Settings& local);

 private:
  StringMap<std::unique_ptr<SqlContext>> by_key_;
};

// Whether bytes below 0x80 may be part of a longer character in this client_encoding, so that no lexer that reads
// bytes can be trusted (PostgreSQL's client-only encodings: SJIS, BIG5, GBK, UHC, GB18030, JOHAB, SHIFT_JIS_2004).
bool IsUnsafeClientEncoding(std::string_view name);

}  // namespace meridian
