#include "proxy/net/worker.h"

#include <fmt/format.h>

#include "metrics/fault_points.h"
#include "metrics/log.h"
#include "proxy/admin/command_columns.h"
#include "proxy/control/transaction_name.h"
#include "proxy/net/proxy.h"

namespace meridian {
namespace {

constexpr uint64_t kTickMs = 100;
constexpr size_t kStartAnswersMax = 1024;

PoolLimits LimitsOf(const Config& config) {
  return {.pool_size = static_cast<size_t>(config.pool_size),
          .queue_timeout_us = Microseconds(config.queue_timeout),
          .connect_timeout_us = Microseconds(config.connect_timeout),
          .server_idle_timeout_us = Microseconds(config.server_idle_timeout),
          .server_lifetime_us = Microseconds(config.server_lifetime)};
}

bool IsIn(const NodeStates& nodes, const NodeAddress& address) {
  return std::any_of(nodes.shards.begin(), nodes.shards.end(), [&](const ShardNodes& shard) {
    return std::any_of(shard.nodes.begin(), shard.nodes.end(),
                       [&](const NodeState& node) { return node.address == address; });
  });
}

// The primaries in `nodes` that are none in `others`.
std::vector<NodeAddress> PrimariesNotIn(const NodeStates& nodes, const NodeStates& others) {
  std::vector<NodeAddress> found;
  for (const ShardNodes& shard : nodes.shards) {
    const NodeState* const primary = shard.Primary();
    if (primary == nullptr) continue;
    const bool there =
        std::any_of(others.shards.begin(), others.shards.end(), [primary](const ShardNodes& other) {
          return other.Primary() != nullptr && other.Primary()->address == primary->address;
        });
    if (!there) found.push_back(primary->address);
  }
  return found;
}

}  // namespace

Worker::Worker(Proxy& proxy, size_t index, WorkerMetrics& metrics)
    : proxy_(proxy),
      index_(index),
      metrics_(metrics),
      config_(proxy.config()),
      read_buffer_(std::make_unique<ReadBuffer>()),
      snapshot_(proxy.control().snapshot()),
      replica_choice_(uv_hrtime()) {
  const Config& config = *config_;
  router_ = std::make_unique<Router>(
      RouterLimits{.max_parsed_text_bytes = static_cast<size_t>(config.max_statement_size)});
  pools_ = std::make_unique<ServerPools>(*this, proxy.budgets(), settings_, LimitsOf(config));
  router_->Publish(snapshot_->map, snapshot_->schema);
  metrics_.epoch.Set(static_cast<int64_t>(snapshot_->map->epoch().value));
  uv_loop_init(&loop_);
  wake_.data = tick_.data = this;
  uv_async_init(&loop_, &wake_,
                [](uv_async_t* handle) { static_cast<Worker*>(handle->data)->RunTasks(); });
  uv_timer_init(&loop_, &tick_);
  uv_timer_start(
      &tick_, [](uv_timer_t* handle) { static_cast<Worker*>(handle->data)->OnTick(); }, kTickMs,
      kTickMs);
  proxy.budgets().AddWorker([this] {
    Post([this] {
      pools_->OnSlotsFreed();
      EndEvent();
    });
  });
}

Worker::~Worker() = default;

// ---------------------------------------------------------------------------------------------
// The loop

void Worker::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Worker::Run() { uv_run(&loop_, UV_RUN_DEFAULT); }

void Worker::Post(std::function<void()> task) {
  {
    const std::lock_guard lock(tasks_mu_);
    tasks_.push_back(std::move(task));
  }
  uv_async_send(&wake_);
}

void Worker::RunTasks() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(tasks_mu_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
  if (!stopping_) EndEvent();
}

void Worker::Stop(const SqlError& reason) {
  Post([this, reason] {
    stopping_ = true;
    for (auto& [id, client] : clients_) client->Fatal(reason);
    EndEvent();
    for (auto& [id, client] : clients_) client->Abandon();
    pools_->CloseAll();
    uv_close(reinterpret_cast<uv_handle_t*>(&tick_), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
  });
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
  pools_->OnTick();
}

void Worker::EndEvent() {
  while (!dirty_.empty()) {
    ClientConnection& client = *dirty_.back();
    dirty_.pop_back();
    client.dirty = false;
    client.FlushAll();
  }
  for (const std::string_view point : fault_points_) FaultPoint(point);
  fault_points_.clear();
}

void Worker::OnTick() {
  ++ticks_;
  pools_->OnTick();
  WakeThoseWhoAwaitNodes();
  const RouterCounters& counters = router_->counters();
  metrics_.plan_cache_hits.Add(counters.cache_hits - metrics_.plan_cache_hits.Get());
  metrics_.plan_cache_misses.Add(counters.cache_misses - metrics_.plan_cache_misses.Get());
  metrics_.plan_cache_entries.Set(static_cast<int64_t>(router_->cached_statements()));
  if (ticks_ % 10 == 0) {
    const uint64_t now = NowUs();
    const Config& config = *config_;
    CountClients();
    for (auto& [name, stats] : database_stats_) stats.periods.OnTick(now, stats.totals);
    for (auto& [id, client] : clients_) {
      client->OnTick(now);
      if (!client->logged_in()) {
        if (now - client->opened_us() > Microseconds(config.login_timeout))
          client->CloseAfterWrite();
      } else if (config.client_idle_timeout.count() > 0 && client->session() != nullptr &&
                 client->session()->idle() &&
                 now - client->active_us() > Microseconds(config.client_idle_timeout)) {
        client->Fatal({.sqlstate = "57P05",
                       .message = "terminating connection due to client_idle_timeout",
                       .detail = {},
                       .hint = {}});
      }
    }
  }
  EndEvent();
}

// ---------------------------------------------------------------------------------------------
// Clients

// What it would take too long to count at each change.
void Worker::CountClients() {
  int64_t active = 0;
  int64_t waiting = 0;
  for (const auto& [id, client] : clients_) {
    const Session* const session = client->session();
    if (session == nullptr) continue;
    bool has_server = false;
    session->ForEachServer([&](const Server&) { has_server = true; });
    active += has_server || session->owes_answer() ? 1 : 0;
    waiting += session->waiting_for_server() ? 1 : 0;
  }
  metrics_.clients_active.Set(active);
  metrics_.clients_waiting.Set(waiting);
}

void Worker::AddClient(int fd, bool is_unix, bool beyond_limit) {
  load_.fetch_add(1, std::memory_order_relaxed);
  Post([this, fd, is_unix, beyond_limit] {
    const uint64_t id = next_client_++ * kMaxWorkers + index_;
    auto client = std::make_unique<ClientConnection>(*this, id, is_unix, beyond_limit);
    ClientConnection& added = *client;
    clients_.emplace(id, std::move(client));
    metrics_.clients_accepted.Add();
    metrics_.clients_connected.Add();
    if (!added.Open(fd)) close(fd);
  });
}

ClientConnection* Worker::FindClient(uint64_t id) {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : found->second.get();
}

void Worker::ForEachClient(const std::function<void(ClientConnection&)>& visit) {
  for (auto& [id, client] : clients_) visit(*client);
}

void Worker::ForEachDatabase(
    const std::function<void(const std::string&, const DatabaseStats&)>& visit) {
  for (const auto& [name, stats] : database_stats_) visit(name, stats);
}

DatabaseStats& Worker::StatsOf(const std::string& database) {
  return database_stats_.try_emplace(database, DatabaseStats{{}, StatsPeriods(NowUs())})
      .first->second;
}

void Worker::Remove(ClientConnection& client) {
  metrics_.clients_connected.Sub();
  load_.fetch_sub(1, std::memory_order_relaxed);
  proxy_.OnClientGone();
  if (client.dirty) std::erase(dirty_, &client);
  clients_.erase(client.id());
}

void Worker::MarkDirty(ClientConnection& client) {
  if (client.dirty) return;
  client.dirty = true;
  dirty_.push_back(&client);
}

void Worker::MarkDirty(Session& session) {
  MarkDirty(*static_cast<ClientConnection*>(session.handle));
}
void Worker::MarkDirty(AdminSession& session) {
  MarkDirty(*static_cast<ClientConnection*>(session.handle));
}
void Worker::CloseClient(Session& session) {
  ClientConnection& client = *static_cast<ClientConnection*>(session.handle);
  MarkDirty(client);
  client.CloseAfterWrite();
}
void Worker::CloseClient(AdminSession& session) {
  ClientConnection& client = *static_cast<ClientConnection*>(session.handle);
  MarkDirty(client);
  client.CloseAfterWrite();
}

void Worker::Drain(const SqlError& reason) {
  drain_reason_ = reason;
  for (auto& [id, client] : clients_) {
    if (client->session() != nullptr) {
      client->session()->Terminate(reason, false);
    } else {
      client->Fatal(reason);
    }
  }
}

const SqlContext& Worker::DefaultContext() {
  const Settings& none = *settings_.Empty();
  return contexts_.Of({}, *settings_.Intern({{"search_path", "\"$user\", public"}}), none, none);
}

bool Worker::KillClient(uint64_t id) {
  ClientConnection* client = FindClient(id);
  if (client == nullptr) return false;
  client->Fatal({.sqlstate = std::string(sqlstate::kAdminShutdown),
                 .message = "terminating connection due to administrator command",
                 .detail = {},
                 .hint = {}});
  return true;
}

bool Worker::Cancel(uint32_t pid, const std::string& secret) {
  for (auto& [id, client] : clients_) {
    if (client->pid() != pid || client->secret() != secret) continue;
    const bool running = client->session() != nullptr && client->session()->OnCancel();
    metrics_.cancels[running ? CancelOutcome::kSent : CancelOutcome::kIdle].Add();
    return true;
  }
  return false;
}

// ---------------------------------------------------------------------------------------------
// What the control plane and the configuration say

void Worker::OnSnapshot(std::shared_ptr<const Snapshot> snapshot) {
  const std::shared_ptr<const Snapshot> before = std::exchange(snapshot_, std::move(snapshot));
  metrics_.epoch.Set(static_cast<int64_t>(snapshot_->map->epoch().value));
  if (before->map != snapshot_->map || before->schema != snapshot_->schema) {
    router_->Publish(snapshot_->map, snapshot_->schema);
  }
  if (before->map != snapshot_->map) {
    for (auto& [id, client] : clients_) {
      if (client->session() != nullptr)
        client->session()->OnMapChanged(*before->map, *snapshot_->map);
    }
    WakeThoseWhoAwaitNodes();
  }
  if (before->nodes == snapshot_->nodes) return;
  // A node that is not the primary any more serves no statement, unless it was taken from the map:
  // then what runs may end. One that has become it says other things of itself to those who log in.
  for (const NodeAddress& node : PrimariesNotIn(*before->nodes, *snapshot_->nodes)) {
    if (!IsIn(*snapshot_->nodes, node)) {
      pools_->Retire(node);
      continue;
    }
    pools_->CutOff(node, {.sqlstate = std::string(sqlstate::kConnectionFailure),
                          .message = "node " + node.ToString() + " is not the primary any more",
                          .detail = {},
                          .hint = "Run the transaction again."});
  }
  for (const NodeAddress& node : PrimariesNotIn(*snapshot_->nodes, *before->nodes)) {
    pools_->Retire(node);
  }
  WakeThoseWhoAwaitNodes();
}

void Worker::OnSample() {
  if (!anyone_awaits_.load(std::memory_order_relaxed)) return;
  Post([this] { WakeThoseWhoAwaitNodes(); });
}

void Worker::OnConfigChanged() {
  config_ = proxy_.config();
  pools_->SetLimits(LimitsOf(*config_));
}

void Worker::SetPaused(const std::vector<NodeAddress>& nodes, bool paused) {
  for (const NodeAddress& node : nodes) {
    if (paused) {
      pools_->Pause(node);
    } else {
      pools_->Resume(node);
    }
  }
}

const ParameterList* Worker::FindStart(const Pool& pool, const Settings& settings) const {
  const auto found = starts_.find({&pool, pool.profile_version(), &settings});
  return found == starts_.end() ? nullptr : &found->second.second;
}

void Worker::RememberStart(const Pool& pool, const Settings& settings, ParameterList answer) {
  if (starts_.size() >= kStartAnswersMax) starts_.clear();
  starts_[{&pool, pool.profile_version(), &settings}] = {Ref<const Settings>(&settings),
                                                         std::move(answer)};
}

void Worker::RememberKeys(const std::string& user, const ScramKeys& keys) {
  const auto [at, added] = keys_.try_emplace(user, keys);
  if (added || at->second == keys) return;
  at->second = keys;  // the password has changed: later logins need the new keys
  pools_->ForEachPool([&](Pool& pool) {
    if (pool.key().user == user)
      pools_->SetCredentials(pool, {.keys = keys, .password = std::nullopt});
  });
}

// ---------------------------------------------------------------------------------------------
// Services for sessions

void Worker::RequestSchemaRefresh(Session& session) {
  const uint64_t id = session.identity().client_id;
  proxy_.control().RequestSchemaRefresh([this, id](absl::Status status) {
    if (!status.ok())
      LogWarning("could not read the schema anew", {{"error", std::string(status.message())}});
    Post([this, id] {
      ClientConnection* client = FindClient(id);
      if (client != nullptr && client->session() != nullptr) client->session()->OnSchemaRefreshed();
    });
  });
}

void Worker::NoteUse(const UsedKey& key, uint64_t microseconds) {
  const ShardMap& map = router_->map();
  const Distribution& distribution = map.distributions()[key.distribution];
  const KeyRange& range = distribution.ranges()[key.range];
  if (!range_use_.Add(range.name, map.shard(range.owner).name, microseconds)) return;
  RangeUseReport::Key point;
  for (size_t i = 0; i < key.point.size(); ++i) {
    point.push_back(FormatKey(distribution.columns()[i].space_type(), key.point[i]));
  }
  range_use_.AddKey(range.name, std::move(point));
}

void Worker::Report(Session& session, const StatementReport& report) {
  StatsTotals& totals = static_cast<ClientConnection*>(session.handle)->stats()->totals;
  ++totals.queries;
  totals.query_us += report.microseconds;
  if (report.key != nullptr) NoteUse(*report.key, report.microseconds);
  const auto limit = config_->log.slow_statement;
  if (limit.count() == 0 || report.microseconds < Microseconds(limit)) return;
  metrics_.slow_statements.Add();
  const std::string statement =
      report.statement == nullptr ? std::string() : report.statement->readable_text;
  LogWarning("slow statement", {{"client", session.identity().client_id},
                                {"user", session.identity().user},
                                {"kind", kQueryKindNames[static_cast<size_t>(report.kind)]},
                                {"statement", statement},
                                {"outcome", kOutcomeNames[static_cast<size_t>(report.outcome)]},
                                {"milliseconds", static_cast<double>(report.microseconds) / 1000}});
}

void Worker::ReportTransaction(Session& session, uint64_t microseconds) {
  StatsTotals& totals = static_cast<ClientConnection*>(session.handle)->stats()->totals;
  ++totals.transactions;
  totals.transaction_us += microseconds;
}

void Worker::ReportWait(Session& session, uint64_t microseconds) {
  static_cast<ClientConnection*>(session.handle)->stats()->totals.wait_us += microseconds;
}

std::string Worker::NewTransactionName(std::string_view lead_shard) {
  const TransactionName name{proxy_.instance(), index_, next_transaction_++,
                             ShardToken(lead_shard)};
  std::string text = name.ToString();
  proxy_.control().transactions_in_flight().Add(text);
  return text;
}

void Worker::PassFaultPoint(std::string_view point, bool sent) {
  if (sent) {
    fault_points_.push_back(point);
  } else {
    FaultPoint(point);
  }
}

void Worker::EndTransactionName(const std::string& name) {
  proxy_.control().transactions_in_flight().Remove(name);
}

size_t Worker::max_message_bytes() const { return static_cast<size_t>(config_->max_message_size); }

void Worker::Execute(AdminSession& session, const AdminStatement& statement) {
  proxy_.ExecuteAdmin(*this, session, statement);
}

std::vector<AdminColumn> Worker::ColumnsOf(const Command& command) {
  return CommandColumns(command);
}

}  // namespace meridian
