#include "proxy/control/control_plane.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "metrics/log.h"
#include "proxy/control/catalog_follower.h"
#include "proxy/control/command_thread.h"
#include "proxy/control/deadlock_detector.h"
#include "proxy/control/default_shard.h"
#include "proxy/control/map_lease.h"
#include "proxy/control/node_monitor.h"
#include "proxy/control/refresh_thread.h"
#include "proxy/control/role_loader.h"
#include "proxy/control/schema_loader.h"
#include "proxy/control/snapshot_publisher.h"
#include "proxy/control/transaction_recovery.h"
#include "rebalance/mover.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;

ShardAccess WithStop(ShardAccess access, const std::stop_token& stop) {
  access.login.stop = stop;
  return access;
}

// What schema and roles depend on: a change of it has them read anew.
struct SourceOfReads {
  NodeAddress primary;  // of the default shard
  bool reachable = false;
  int server_version = 0;  // the newest among all nodes
  friend bool operator==(const SourceOfReads&, const SourceOfReads&) = default;
};

// The last error of something that is tried again and again: logged when it changes.
class LastError {
 public:
  explicit LastError(const char* what) : what_(what) {}

  void Note(const absl::Status& status) {
    const std::string error = status.ok() ? std::string() : ToSqlError(status).message;
    {
      const std::lock_guard lock(mu_);
      if (error_ == error) return;
      error_ = error;
    }
    if (error.empty()) {
      LogInfo("works again", {{"what", what_}});
    } else {
      LogWarning("cannot read from the default shard", {{"what", what_}, {"error", error}});
    }
  }
  std::string text() const {
    const std::lock_guard lock(mu_);
    return error_;
  }

 private:
  const char* const what_;
  mutable std::mutex mu_;
  std::string error_;  // guarded by mu_
};

}  // namespace

class ControlPlane::Impl {
 public:
  Impl(ControlSettings settings, SnapshotListener& listener, OpenTransactions& transactions,
       MetricsRegistry& metrics);

  absl::Status Start();
  void Stop();
  void Reload(const ControlSettings& settings);

  absl::Status ReadSchema();
  absl::Status ReadRoles();
  // On a node's thread.
  void NodesChanged();
  // See CommandThread::Finish.
  void FinishCommand(std::shared_ptr<const ShardMap> map, CommandReply reply,
                     std::function<void(CommandReply)> done, const std::stop_token& stop);
  // Waits until `condition`, which changes are told by Progress(), holds. False at the deadline or
  // a stop.
  template <typename Condition>
  bool WaitUntil(std::chrono::steady_clock::time_point deadline, const std::stop_token& stop,
                 Condition condition);
  void Progress();
  RefreshThread::Intervals SchemaIntervals() const {
    return {.poll = settings_.schema_poll_interval};
  }
  RefreshThread::Intervals RoleIntervals() const {
    return {.poll = settings_.role_poll_interval, .min = settings_.role_refresh_interval_min};
  }

  ControlSettings settings_;  // after the start written by Reload alone
  std::stop_source stop_;
  NodeMonitor monitor_;
  SnapshotPublisher publisher_;
  TransactionRecovery recovery_;
  std::atomic<bool> recovering_{false};  // the nodes were checked
  DeadlockDetector deadlocks_;
  MapLease lease_;

  std::mutex mu_;
  std::condition_variable_any progress_;
  uint64_t progress_count_ = 0;                // guarded by mu_
  std::optional<absl::Status> catalog_start_;  // guarded by mu_
  std::optional<SourceOfReads> read_from_;     // guarded by mu_

  // Each used by the thread of its own alone.
  DefaultShard schema_shard_;
  SchemaLoader schema_loader_;
  DefaultShard role_shard_;
  RoleLoader role_loader_;
  LastError schema_error_{"schema"};
  LastError roles_error_{"roles"};

  // Last: their threads use all of the above.
  RefreshThread schema_thread_;
  RefreshThread role_thread_;
  CatalogFollower follower_;
  CommandThread commands_;
  Mover mover_;
};

ControlPlane::Impl::Impl(ControlSettings settings, SnapshotListener& listener,
                         OpenTransactions& transactions, MetricsRegistry& metrics)
    : settings_(std::move(settings)),
      monitor_(settings_.shards, settings_.node_check_interval, [this] { NodesChanged(); }),
      publisher_(listener, metrics, monitor_),
      recovery_(
          settings_.shards, settings_.proxy, settings_.transaction_recovery_interval,
          [this] { return publisher_.Current(); }, metrics.process()),
      deadlocks_(
          settings_.shards, settings_.proxy, [this] { return publisher_.Current(); }, transactions,
          metrics.process()),
      lease_(
          settings_.catalog, settings_.proxy, transactions,
          [this] { return publisher_.Current()->map->epoch(); }, [this] { Progress(); }),
      schema_shard_(WithStop(settings_.shards, stop_.get_token())),
      role_shard_(WithStop(settings_.shards, stop_.get_token())),
      schema_thread_([this] { return ReadSchema(); }, SchemaIntervals()),
      role_thread_([this] { return ReadRoles(); }, RoleIntervals()),
      follower_({.catalog = settings_.catalog,
                 .migrate = settings_.migrate,
                 .start_timeout = settings_.start_timeout,
                 .poll_interval = settings_.catalog_poll_interval},
                {.on_map =
                     [this](std::shared_ptr<const ShardMap> map) {
                       publisher_.SetMap(map);
                       if (recovering_) recovery_.Watch(*publisher_.Current()->map);
                       lease_.OnMap();
                       Progress();
                     },
                 .on_start =
                     [this](absl::Status status) {
                       {
                         const std::lock_guard lock(mu_);
                         catalog_start_ = std::move(status);
                       }
                       Progress();
                     }},
                metrics.process()),
      commands_(settings_.catalog, settings_.shards, kCommandsWaitingMax,
                [this](std::shared_ptr<const ShardMap> map, CommandReply reply,
                       std::function<void(CommandReply)> done, const std::stop_token& stop) {
                  FinishCommand(std::move(map), std::move(reply), std::move(done), stop);
                }),
      mover_({settings_.catalog, settings_.shards, settings_.proxy, kRecoveryApplicationName,
              settings_.replica_lag_max, settings_.mover_lease, settings_.rebalance_interval,
              &metrics.process()}) {
  monitor_.SetReplicaLagMax(settings_.replica_lag_max);
  monitor_.SetOnSample([&listener] { listener.OnSample(); });
  metrics.SetNodes([this] { return publisher_.Nodes(); });
}

void ControlPlane::Impl::Progress() {
  const std::lock_guard lock(mu_);
  ++progress_count_;
  progress_.notify_all();
}

template <typename Condition>
bool ControlPlane::Impl::WaitUntil(std::chrono::steady_clock::time_point deadline,
                                   const std::stop_token& stop, Condition condition) {
  for (;;) {
    uint64_t seen = 0;
    {
      const std::lock_guard lock(mu_);
      seen = progress_count_;
    }
    if (condition()) return true;
    std::unique_lock lock(mu_);
    if (!progress_.wait_until(lock, stop, deadline, [&] { return progress_count_ != seen; })) {
      return false;
    }
  }
}

absl::Status ControlPlane::Impl::ReadSchema() {
  const std::shared_ptr<const Snapshot> snapshot = publisher_.Current();
  if (snapshot->map->shards().empty()) return absl::OkStatus();
  absl::Status read = schema_shard_.Read(*snapshot, [&](PgConnection& connection) {
    auto schema = schema_loader_.Load(connection, snapshot->nodes->NewestServerVersion());
    if (!schema.ok()) return schema.status();
    publisher_.SetSchema(*std::move(schema), schema_shard_.DatabaseOf(*snapshot->map));
    return absl::OkStatus();
  });
  schema_error_.Note(read);
  Progress();
  return read;
}

absl::Status ControlPlane::Impl::ReadRoles() {
  const std::shared_ptr<const Snapshot> snapshot = publisher_.Current();
  if (snapshot->map->shards().empty()) return absl::OkStatus();
  absl::Status read = role_shard_.Read(*snapshot, [&](PgConnection& connection) {
    auto roles = role_loader_.Load(connection);
    if (!roles.ok()) return roles.status();
    publisher_.SetRoles(*std::move(roles));
    return absl::OkStatus();
  });
  roles_error_.Note(read);
  Progress();
  return read;
}

void ControlPlane::Impl::NodesChanged() {
  publisher_.UpdateNodes();
  const std::shared_ptr<const Snapshot> snapshot = publisher_.Current();
  const NodeState* const primary = snapshot->map->shards().empty()
                                       ? nullptr
                                       : snapshot->nodes->of(ShardMap::kDefaultShard).Primary();
  bool changed = false;
  if (primary != nullptr) {
    const std::lock_guard lock(mu_);
    const SourceOfReads now{primary->address, primary->reachable,
                            snapshot->nodes->NewestServerVersion()};
    changed = now.reachable && read_from_ != now;
    read_from_ = now;
  }
  if (changed) {
    schema_thread_.Request(nullptr);
    role_thread_.Request(nullptr);
  }
  recovery_.LookNow();
  Progress();
}

absl::Status ControlPlane::Impl::Start() {
  const auto deadline = std::chrono::steady_clock::now() + settings_.start_timeout;
  follower_.Start();
  const auto never = std::chrono::steady_clock::time_point::max();
  absl::Status catalog;
  // The follower knows the deadline; it always comes to an end.
  WaitUntil(never, stop_.get_token(), [&] {
    const std::lock_guard lock(mu_);
    if (catalog_start_) catalog = *catalog_start_;
    return catalog_start_.has_value();
  });
  if (!catalog.ok()) {
    Stop();
    return catalog;
  }
  lease_.Start();
  WaitUntil(deadline, stop_.get_token(), [&] { return lease_.tried(); });
  commands_.Start();
  const auto nodes_checked = [&] { return monitor_.CheckedAll(*publisher_.Current()->map); };
  WaitUntil(deadline, stop_.get_token(), nodes_checked);
  recovering_ = true;
  deadlocks_.Start();
  recovery_.Watch(*publisher_.Current()->map);
  schema_thread_.Start();
  role_thread_.Start();
  if (settings_.mover_lease.count() > 0) mover_.Start();
  const bool complete = WaitUntil(deadline, stop_.get_token(), [&] {
    const std::shared_ptr<const Snapshot> now = publisher_.Current();
    return now->map->shards().empty() || (now->Serves() && !now->roles->by_name.empty());
  });
  if (!complete) {
    LogError("the default shard cannot be read: clients are refused until it can",
             {{"schema_error", schema_error_.text()}, {"roles_error", roles_error_.text()}});
  }
  return absl::OkStatus();
}

void ControlPlane::Impl::Stop() {
  stop_.request_stop();
  mover_.Stop();
  commands_.Stop();
  follower_.Stop();
  lease_.Stop();
  schema_thread_.Stop();
  role_thread_.Stop();
  recovery_.Stop();
  deadlocks_.Stop();
  monitor_.Stop();
}

void ControlPlane::Impl::Reload(const ControlSettings& settings) {
  const std::lock_guard lock(mu_);
  settings_.node_check_interval = settings.node_check_interval;
  settings_.replica_lag_max = settings.replica_lag_max;
  settings_.catalog_poll_interval = settings.catalog_poll_interval;
  settings_.schema_poll_interval = settings.schema_poll_interval;
  settings_.role_poll_interval = settings.role_poll_interval;
  settings_.role_refresh_interval_min = settings.role_refresh_interval_min;
  settings_.transaction_recovery_interval = settings.transaction_recovery_interval;
  recovery_.SetInterval(settings_.transaction_recovery_interval);
  monitor_.SetReplicaLagMax(settings_.replica_lag_max);
  monitor_.SetInterval(settings_.node_check_interval);
  follower_.SetPollInterval(settings_.catalog_poll_interval);
  schema_thread_.SetIntervals(SchemaIntervals());
  role_thread_.SetIntervals(RoleIntervals());
}

void ControlPlane::Impl::FinishCommand(std::shared_ptr<const ShardMap> map, CommandReply reply,
                                       std::function<void(CommandReply)> done,
                                       const std::stop_token& stop) {
  if (map == nullptr) {
    mover_.LookNow();
    return done(std::move(reply));
  }
  publisher_.SetMap(map);
  lease_.OnMap();
  // New nodes are checked first, so that clients find them ready when the command is done.
  const auto deadline = std::chrono::steady_clock::now() + 2 * kControlConnectTimeout;
  WaitUntil(deadline, stop, [&] { return monitor_.CheckedAll(*map); });
  recovery_.Watch(*publisher_.Current()->map);
  auto answer = [reply = std::move(reply), done = std::move(done)](const absl::Status&) mutable {
    done(std::move(reply));
  };
  // The command may have created tables.
  const auto read_schema = [this](std::function<void(absl::Status)> then) {
    schema_thread_.Request(std::move(then));
  };
  if (!publisher_.Current()->roles->by_name.empty()) return read_schema(std::move(answer));
  role_thread_.Request([read_schema, answer = std::move(answer)](const absl::Status&) mutable {
    read_schema(std::move(answer));
  });
}

ControlPlane::ControlPlane(ControlSettings settings, SnapshotListener& listener,
                           OpenTransactions& transactions, MetricsRegistry& metrics)
    : impl_(std::make_unique<Impl>(std::move(settings), listener, transactions, metrics)) {}

ControlPlane::~ControlPlane() { Stop(); }

absl::Status ControlPlane::Start() { return impl_->Start(); }

void ControlPlane::Stop() { impl_->Stop(); }

void ControlPlane::Reload(const ControlSettings& settings) { impl_->Reload(settings); }

std::shared_ptr<const Snapshot> ControlPlane::snapshot() const {
  return impl_->publisher_.Current();
}

TransactionsInFlight& ControlPlane::transactions_in_flight() {
  return impl_->recovery_.in_flight();
}

const PreparedBoard& ControlPlane::prepared() const { return impl_->recovery_.board(); }

uint64_t ControlPlane::map_lease_until_us() const { return impl_->lease_.until_us(); }

ControlStatus ControlPlane::status() const {
  ControlStatus status;
  status.catalog_error = impl_->follower_.error();
  status.catalog_connected = status.catalog_error.empty();
  status.schema_error = impl_->schema_error_.text();
  status.roles_error = impl_->roles_error_.text();
  status.commands_waiting = impl_->commands_.waiting();
  return status;
}

void ControlPlane::Submit(Command command, std::string text, std::string who,
                          std::function<void(CommandReply)> done) {
  impl_->commands_.Submit({std::move(command), std::move(text), std::move(who), std::move(done)});
}

void ControlPlane::RequestSchemaRefresh(std::function<void(absl::Status)> done) {
  impl_->schema_thread_.Request(std::move(done));
}

void ControlPlane::RequestRoleRefresh(std::function<void(absl::Status)> done) {
  impl_->role_thread_.Request(std::move(done));
}

void ControlPlane::RequestNodeCheck() { impl_->monitor_.CheckNow(); }

}  // namespace meridian
