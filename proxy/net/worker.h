// One worker: an event loop on a thread of its own, with its clients, its server connections, its
// router and its counters. Nothing in it is shared; other threads reach it through Post.
#pragma once

#include <uv.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "metrics/counters.h"
#include "metrics/range_use.h"
#include "proxy/admin/admin_session.h"
#include "proxy/admin/worker_report.h"
#include "proxy/config/password_file.h"
#include "proxy/control/snapshot.h"
#include "proxy/net/client_connection.h"
#include "proxy/net/server_connection.h"
#include "proxy/net/stream.h"
#include "proxy/pool/replica_choice.h"
#include "proxy/session/session_host.h"

namespace meridian {

class Proxy;

// A duration of the configuration as the loop counts.
inline uint64_t Microseconds(std::chrono::milliseconds duration) {
  return static_cast<uint64_t>(duration.count()) * 1000;
}

// SHOW STATS: what the worker has done for one database.
struct DatabaseStats {
  StatsTotals totals;
  StatsPeriods periods;
};

// Client ids are counter * kMaxWorkers + worker index: the id tells the worker.
inline constexpr size_t kMaxWorkers = 64;

// The pools of one user and database, by shard; null where none was needed yet.
struct UserPools {
  std::shared_ptr<const Snapshot> snapshot;  // for which they are right
  std::vector<Pool*> by_shard;               // of the primaries
  std::vector<std::vector<Pool*>> replicas;  // by shard and index of the node
};

class Worker final : public SessionHost, public PoolHost, public AdminHost {
 public:
  Worker(Proxy& proxy, size_t index, WorkerMetrics& metrics);
  ~Worker();

  void Start();
  // Ends the loop: all clients get `reason` as FATAL. Then Join.
  void Stop(const SqlError& reason);
  void Join();

  // Runs `task` on the worker's thread, in order. Any thread.
  void Post(std::function<void()> task);
  // Serves a connected socket. Any thread.
  // `beyond_limit`: see ClientLogin::World.
  void AddClient(int fd, bool is_unix, bool beyond_limit);
  // How many clients it has; any thread.
  size_t load() const { return load_.load(std::memory_order_relaxed); }

  // The rest: this worker's thread only.
  uv_loop_t* loop() { return &loop_; }
  ReadBuffer& read_buffer() { return *read_buffer_; }
  RangeUse& range_use() { return range_use_; }
  Proxy& proxy() { return proxy_; }
  const Snapshot& snapshot() const { return *snapshot_; }
  // Called at the end of each event: writes out what it has produced.
  void EndEvent();
  void MarkDirty(ClientConnection& client);
  void OnServerDrained(Server& server);
  // The client hears of what is new of the nodes: ClientConnection::OnNodesMayHaveChanged.
  void AwaitNodes(uint64_t client_id);
  void Remove(ClientConnection& client);
  void OnSnapshot(std::shared_ptr<const Snapshot> snapshot);
  // Any thread.
  void OnSample();
  void OnConfigChanged();
  // New transactions are refused from now on; sessions end when they are idle.
  void Drain(const SqlError& reason);
  bool draining() const { return drain_reason_.has_value(); }
  const SqlError& drain_reason() const { return *drain_reason_; }
  // A CancelRequest. False: no session of this worker has the key.
  bool Cancel(uint32_t pid, const std::string& secret);
  bool KillClient(uint64_t id);
  // How statements are read where there is no session: with PostgreSQL's default search_path.
  const SqlContext& DefaultContext();
  ClientConnection* FindClient(uint64_t id);
  void ForEachClient(const std::function<void(ClientConnection&)>& visit);
  void ForEachDatabase(const std::function<void(const std::string&, const DatabaseStats&)>& visit);
  // The counters of the database as clients name it; they live as long as the worker.
  DatabaseStats& StatsOf(const std::string& database);
  void SetPaused(const std::vector<NodeAddress>& nodes, bool paused);

  // What was told to clients that started with the same settings in the same pool.
  const ParameterList* FindStart(const Pool& pool, const Settings& settings) const;
  void RememberStart(const Pool& pool, const Settings& settings, ParameterList answer);
  absl::StatusOr<Pool*> PoolFor(const std::string& database, const std::string& user,
                                ShardIndex shard);
  Pool& PoolAt(const NodeAddress& node, const std::string& database, const std::string& user,
               ShardIndex shard);
  // Lives as long as the worker.
  UserPools& PoolsOf(const std::string& database, const std::string& user);
  // The keys that a client has proved, for logging in to servers as the same user.
  void RememberKeys(const std::string& user, const ScramKeys& keys);

  // SessionHost
  Router& router() override { return *router_; }
  SettingsRegistry& settings() override { return settings_; }
  PreparedTexts& prepared_texts() override { return prepared_texts_; }
  SqlContexts& contexts() override { return contexts_; }
  WorkerMetrics& metrics() override { return metrics_; }
  Analysis& scratch_analysis() override { return scratch_; }
  wire::BindView& scratch_bind() override { return scratch_bind_; }
  uint64_t NowUs() override { return uv_hrtime() / 1000; }
  void MarkDirty(Session& session) override;
  void CloseClient(Session& session) override;
  absl::StatusOr<Pool*> PoolOf(Session& session, ShardIndex shard) override;
  const ShardNodes* NodesOf(ShardIndex shard) override;
  std::optional<ReplicaPool> ReplicaPoolOf(Session& session, ShardIndex shard,
                                           absl::Span<const size_t> candidates) override;
  void OnReplicaFailed(const NodeSamples& replica) override;
  void AwaitNodes(Session& session) override;
  void AwaitMap(Session& session) override;
  MovingSet HeldRanges() override;
  uint64_t primary_timeout_us() const override;
  uint64_t replica_wait_us() const override;
  ServerPools& pools() override { return *pools_; }
  void CancelServer(Server& server) override;
  void SetReading(Server& server, bool on) override;
  void RequestSchemaRefresh(Session& session) override;
  void Report(Session& session, const StatementReport& report) override;
  void ReportTransaction(Session& session, uint64_t microseconds) override;
  void ReportWait(Session& session, uint64_t microseconds) override;
  std::string NewTransactionName(std::string_view lead_shard) override;
  void EndTransactionName(const std::string& name) override;
  void PassFaultPoint(std::string_view point, bool sent) override;
  size_t max_message_bytes() const override;

  // PoolHost
  void Connect(Server& server, const NodeAddress& node) override;
  void Flush(Server& server) override;
  void Disconnect(Server& server) override;
  void DeriveKeys(uint64_t server_id, std::string password, std::string salt,
                  int iterations) override;

  // AdminHost
  const ShardMap& AdminMap() override { return *snapshot_->map; }
  void Execute(AdminSession& session, const AdminStatement& statement) override;
  std::vector<AdminColumn> ColumnsOf(const Command& command) override;
  void MarkDirty(AdminSession& session) override;
  void CloseClient(AdminSession& session) override;

 private:
  void NoteUse(const UsedKey& key, uint64_t microseconds);
  void Run();
  void RunTasks();
  void OnTick();
  void CountClients();
  void CloseLoop();
  UserPools& KnownPools(Session& session);
  void WakeThoseWhoAwaitNodes();

  Proxy& proxy_;
  const size_t index_;
  std::vector<std::string_view> fault_points_;  // of kFaultPoints: at the end of this event
  WorkerMetrics& metrics_;
  uv_loop_t loop_{};
  uv_async_t wake_{};
  uv_timer_t tick_{};
  std::shared_ptr<const Config> config_;
  std::unique_ptr<ReadBuffer> read_buffer_;
  std::thread thread_;

  std::mutex tasks_mu_;
  std::vector<std::function<void()>> tasks_;  // guarded by tasks_mu_
  std::atomic<size_t> load_{0};

  SettingsRegistry settings_;
  PreparedTexts prepared_texts_;
  SqlContexts contexts_;
  Analysis scratch_;
  wire::BindView scratch_bind_;
  std::unique_ptr<Router> router_;
  RangeUse range_use_;
  std::unique_ptr<ServerPools> pools_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<std::string, ScramKeys> keys_;  // by user
  using StartKey =
      std::tuple<const Pool*, uint64_t, const Settings*>;  // with the profile's version
  std::map<StartKey, std::pair<Ref<const Settings>, ParameterList>> starts_;

  std::map<uint64_t, std::unique_ptr<ClientConnection>> clients_;
  std::map<std::pair<std::string, std::string>, UserPools> user_pools_;  // database, user
  std::map<std::string, DatabaseStats> database_stats_;
  std::vector<uint64_t> awaiting_nodes_;  // clients, see AwaitNodes
  std::atomic<bool> anyone_awaits_{false};
  uint64_t nodes_checked_us_ = 0;  // when that was asked for
  ReplicaChoice replica_choice_;
  std::map<const NodeSamples*, uint64_t> failed_replicas_;  // not to be chosen before this time
  std::vector<ClientConnection*> dirty_;
  uint64_t next_client_ = 1;
  uint64_t next_transaction_ = 1;
  uint64_t ticks_ = 0;
  std::optional<SqlError> drain_reason_;
  bool stopping_ = false;
};

}  // namespace meridian
