// Everything of the proxy that blocks: follows the catalog, observes the nodes, reads schema and
// roles, executes admin commands. Each on a control thread of its own, so that none waits for
// another's dead server. What they learn is published as immutable snapshots.
//
// Losing the catalog stops changes, not traffic: the last map stays, status() and the metric
// catalog_connected tell, and the log says so once. Losing a shard's primary changes the
// NodeStates.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <string>

#include "metrics/registry.h"
#include "proxy/control/command_reply.h"
#include "proxy/control/control_settings.h"
#include "proxy/control/open_transactions.h"
#include "proxy/control/prepared_board.h"
#include "proxy/control/snapshot.h"
#include "proxy/control/transactions_in_flight.h"
#include "sharding/admin/command.h"

namespace meridian {

// What SHOW and the metrics tell of the control threads themselves.
struct ControlStatus {
  bool catalog_connected = false;
  std::string catalog_error;  // why not; empty while connected
  std::string schema_error;   // why the last read of the schema failed; empty: it did not
  std::string roles_error;    // the same for the roles
  size_t commands_waiting = 0;
};

class ControlPlane {
 public:
  // Commands that wait for the command thread; more are refused with 53300.
  static constexpr size_t kCommandsWaitingMax = 64;

  // `listener`, `transactions` and `metrics` outlive this object. Nothing happens before Start.
  ControlPlane(ControlSettings settings, SnapshotListener& listener, OpenTransactions& transactions,
               MetricsRegistry& metrics);
  ~ControlPlane();  // Stop()
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // Starts the threads and blocks until the first snapshot is complete: map read, each node checked
  // once, schema and roles read. An error where the catalog cannot be used: at once where its
  // schema is not ours, after start_timeout (tries are logged) where it cannot be reached. Where
  // only the default shard does not answer for start_timeout, it succeeds with a snapshot that does
  // not Serves() yet, so that an operator can repair the map over the admin database. Once; from
  // the thread that made the object.
  absl::Status Start();

  // Ends the threads; a running command is finished or cut off by its timeouts. Waiting callbacks
  // get 57P01. After it, Submit and the requests give 57P01 at once. Any number of times.
  void Stop();

  // Takes over what can change while running. Any thread.
  void Reload(const ControlSettings& settings);

  // The latest. Never null, but before Start it is empty. Any thread; takes a lock.
  std::shared_ptr<const Snapshot> snapshot() const;
  ControlStatus status() const;
  // Workers name theirs here. Lives as long as this object.
  TransactionsInFlight& transactions_in_flight();
  const PreparedBoard& prepared() const;
  // Until when ranges on the move may be used as the map says, as MapLease::until_us. Any thread,
  // no lock.
  uint64_t map_lease_until_us() const;

  // Callbacks run on a control thread, or within the call where it cannot be accepted (53300,
  // 57P01); exactly once; they must not block and must not call the ControlPlane.

  // Executes a command of CommandRoom::kCatalog; in the order of submission. `who`: the admin user.
  // When `done` runs, the snapshot with the command's effect has been published.
  void Submit(Command command, std::string text, std::string who,
              std::function<void(CommandReply)> done);
  // Reads the schema anew: when `done` runs with OK, a snapshot of a read that began after this
  // call has been given to the listener. An error: the schema is still as before.
  void RequestSchemaRefresh(std::function<void(absl::Status)> done);
  // The same for the roles, at most once per role_refresh_interval_min: for a login of a role that
  // is not known, or whose password was wrong and may have been changed.
  void RequestRoleRefresh(std::function<void(absl::Status)> done);
  // A connection to a node failed: have all nodes checked now, not at the next interval.
  void RequestNodeCheck();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace meridian
