// What stands between a proven identity and the first ReadyForQuery: a server of the user's
// database says what the client must be told (ParameterStatus), and whether it takes the settings
// that the client asked for at its start.
//
// Pure. The answers are kept per worker by (pool, settings), so that only the first client of a
// kind needs a server.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/pool/server_pools.h"

namespace meridian {

using ParameterList = std::vector<std::pair<std::string, std::string>>;

class SessionStart final : public ServerOwner, public PoolClient {
 public:
  // Called once, with what to tell the client or the error that ends its connection. `server`: with
  // keep_server, the one that was used, without an owner; nullptr: none.
  using Done = std::function<void(absl::StatusOr<ParameterList> parameters, Server* server)>;

  SessionStart(ServerPools& pools, Pool& pool, Ref<const Settings> settings, bool keep_server,
               Done done);
  ~SessionStart();

  // Gets a server; may call `done` at once.
  void Begin();

  void OnServer(Server& server) override;
  void OnServerFailed(const absl::Status& status) override;
  void OnServerBytes(Server& server, std::string_view bytes) override;
  void OnServerClosed(Server& server, const SqlError& reason) override;
  // The server in use, for the driver to write its bytes; nullptr: none.
  Server* server() const { return server_; }

 private:
  void Finish(absl::StatusOr<ParameterList> parameters);

  ServerPools& pools_;
  Pool& pool_;
  const Ref<const Settings> settings_;
  const bool keep_server_;
  Done done_;
  Server* server_ = nullptr;
  bool waiting_ = false;
  ParameterList parameters_;
  absl::Status error_;
};

}  // namespace meridian
