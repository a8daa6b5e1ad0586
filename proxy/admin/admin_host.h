// What an admin session asks of the process that it lives in. The worker (proxy/net) implements it;
// tests have their own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/config/config.h"
#include "proxy/control/control_plane.h"
#include "proxy/control/snapshot.h"
#include "router/router.h"
#include "sharding/admin/command.h"

namespace meridian {

class AdminSession;

// All calls come from the worker's thread, in which the session lives. Functions that take the
// session and have a reply named in their comment are asynchronous: exactly one reply comes, on the
// worker's thread and never from within the call, unless Abandon or the session's end comes first.
// A session waits for one reply at a time.
class AdminHost {
 public:
  // Values of the worker; references are valid until the end of the event. After a map change, a
  // call sees the new values as soon as the worker has them.
  virtual const Snapshot& snapshot() = 0;
  virtual Router& router() = 0;  // plans with a map that may be older than snapshot().map
  // Of an ordinary client that has SET nothing, interned by the worker's SqlContexts: the plan
  // cache goes by its id.
  virtual const SqlContext& default_context() = 0;
  virtual const Config& config() = 0;
  virtual ControlStatus control_status() = 0;
  virtual std::string_view version() = 0;  // what SHOW VERSION tells

  // `session` has bytes to write, or wants to be asked again whether it reads: at the end of this
  // event.
  virtual void MarkDirty(AdminSession& session) = 0;
  // The session is over: write what it has queued, then close. It must not be destroyed within this
  // call.
  virtual void CloseClient(AdminSession& session) = 0;

  // ControlPlane::Submit for the session's user; then AdminSession::OnReply. The effect must be in
  // snapshot() by then.
  virtual void Submit(AdminSession& session, Command command, std::string text) = 0;
  // A WorkerReport of every worker; then AdminSession::OnReports.
  virtual void Collect(AdminSession& session) = 0;
  // Ends the client's session with FATAL 57P01, in whichever worker it is; then
  // AdminSession::OnDone: 42704 where there is no such client.
  virtual void KillClient(AdminSession& session, uint64_t client_id) = 0;
  // No worker gives out server connections of the shard (of all, where absent) from now on; then
  // AdminSession::OnDone when those in use have been given back. `shard` exists in snapshot().map.
  // Being paused already is no error.
  virtual void Pause(AdminSession& session, const std::optional<std::string>& shard) = 0;
  // The contrary; then AdminSession::OnDone when all workers know. Resuming all ends the pauses of
  // single shards, too. 55000 where nothing of that was paused.
  virtual void Resume(AdminSession& session, const std::optional<std::string>& shard) = 0;
  // Reads the configuration file again; then AdminSession::OnDone: the file's error (nothing has
  // changed then), or OK with a notice for each setting that waits for a restart.
  virtual void Reload(AdminSession& session) = 0;
  // Begins to drain, as SIGTERM does. This session gets its answer first, and is ended last.
  virtual void Shutdown() = 0;
  // The session no longer wants the reply that it waits for: none comes. A Pause that is not
  // complete is undone; a command of Submit goes on.
  virtual void Abandon(AdminSession& session) = 0;

 protected:
  ~AdminHost() = default;
};

}  // namespace meridian
