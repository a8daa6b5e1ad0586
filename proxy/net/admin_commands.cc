// The admin commands that the process itself answers: what workers, nodes and settings are, and
// orders to them.

#include <atomic>

#include "proxy/admin/reports.h"
#include "proxy/config/settings.h"
#include "proxy/net/proxy.h"
#include "proxy/net/worker_reports.h"

namespace meridian {
namespace {

std::vector<AdminColumn> NodeColumns() {
  return {{"shard", type_oid::kText},     {"host", type_oid::kText},
          {"port", type_oid::kInt4},      {"role", type_oid::kText},
          {"reachable", type_oid::kBool}, {"server_version", type_oid::kInt4},
          {"timeline", type_oid::kInt8},  {"last_error", type_oid::kText}};
}

AdminTable NodeTable(const Snapshot& snapshot) {
  AdminTable table{NodeColumns(), {}};
  for (size_t shard = 0; shard < snapshot.map->shards().size(); ++shard) {
    for (const NodeState& node : snapshot.nodes->shards[shard].nodes) {
      table.rows.push_back({snapshot.map->shards()[shard].name, node.address.host,
                            std::to_string(node.address.port), std::string(NodeRoleName(node.role)),
                            node.reachable ? "t" : "f", std::to_string(node.server_version),
                            std::to_string(node.timeline), node.last_error});
    }
  }
  return table;
}

std::vector<AdminColumn> SettingColumns() {
  return {{"name", type_oid::kText},       {"value", type_oid::kText},
          {"unit", type_oid::kText},       {"default", type_oid::kText},
          {"reloadable", type_oid::kBool}, {"description", type_oid::kText}};
}

AdminTable SettingTable(const Config& config) {
  AdminTable table{SettingColumns(), {}};
  for (const SettingRow& row : Describe(config)) {
    table.rows.push_back({row.name, row.value, row.unit, row.default_value,
                          row.reloadable ? "t" : "f", row.description});
  }
  return table;
}

std::vector<AdminColumn> RouteColumns() { return {{"route", type_oid::kText}}; }

AdminTable RouteTable(Router& router, const std::string& text) {
  AdminTable table{RouteColumns(), {}};
  Analysis analysis;
  const SqlContext context;
  router.Analyze(text, context, {}, &analysis);
  for (const Analysis::Part& part : analysis.parts) {
    const Values values{text, analysis.LiteralsOf(part), {}};
    const auto decision = router.Decide(*part.statement, values, {});
    if (decision.ok()) {
      table.rows.push_back({"plan: " + std::string(RouteName(decision->route))});
      decision->shards.ForEach([&](ShardIndex shard) {
        table.rows.push_back({"shard: " + router.map().shard(shard).name});
      });
    } else {
      const SqlError error = ToSqlError(decision.status());
      table.rows.push_back({"refused: " + error.sqlstate + " " + error.message});
      if (!error.hint.empty()) table.rows.push_back({"hint: " + error.hint});
    }
    for (std::string& line : router.Explain(*part.statement, values, {})) {
      table.rows.push_back({std::move(line)});
    }
  }
  return table;
}

// The reports of all workers as they come in; whoever brings the last one answers.
struct Collection {
  std::mutex mu;
  std::vector<WorkerReport> reports;
  size_t missing = 0;
};

AdminResult Tagged(std::string tag) { return {.table = {}, .tag = std::move(tag)}; }

}  // namespace

std::vector<AdminColumn> Proxy::AdminColumns(const Command& command) {
  if (std::holds_alternative<ExplainRoute>(command)) return RouteColumns();
  const Show* show = std::get_if<Show>(&command);
  if (show == nullptr) return {};
  if (show->subject == ShowSubject::kNodes) return NodeColumns();
  if (show->subject == ShowSubject::kSettings) return SettingColumns();
  return ReportColumns(show->subject).value_or(std::vector<AdminColumn>{});
}

void Proxy::ExecuteAdmin(Worker& worker, AdminSession& session, const AdminStatement& statement) {
  const uint64_t id = session.client_id();
  // Answers on the session's worker, if the session is still there.
  const auto reply = [&worker, id](CommandReply answer) {
    auto shared = std::make_shared<CommandReply>(std::move(answer));
    worker.Post([&worker, id, shared] {
      ClientConnection* client = worker.FindClient(id);
      if (client != nullptr && client->admin() != nullptr)
        client->admin()->OnReply(std::move(*shared));
    });
  };
  if (RoomOf(statement.command) == CommandRoom::kCatalog) {
    control_->Submit(statement.command, statement.text, session.user(), reply);
    return;
  }
  if (const auto* show = std::get_if<Show>(&statement.command)) {
    ShowProcess(*show, reply);
  } else if (const auto* explain = std::get_if<ExplainRoute>(&statement.command)) {
    reply({AdminResult{RouteTable(worker.router(), explain->statement), TagOf(statement.command)},
           {}});
  } else if (const auto* kill = std::get_if<KillClient>(&statement.command)) {
    KillAnywhere(kill->id, TagOf(statement.command), reply);
  } else if (const auto* pause = std::get_if<Pause>(&statement.command)) {
    reply({SetPaused(pause->shard, true, TagOf(statement.command)), {}});
  } else if (const auto* resume = std::get_if<Resume>(&statement.command)) {
    reply({SetPaused(resume->shard, false, TagOf(statement.command)), {}});
  } else if (std::holds_alternative<meridian::Reload>(statement.command)) {
    const absl::Status status = Reload();
    reply({status.ok() ? absl::StatusOr<AdminResult>(Tagged("RELOAD"))
                       : SqlStatus("F0000", std::string(status.message())),
           {}});
  } else {
    reply({Tagged(TagOf(statement.command)), {}});
    if (std::holds_alternative<Shutdown>(statement.command)) uv_async_send(&shutdown_);
  }
}

void Proxy::ShowProcess(const Show& show, const Reply& reply) {
  const std::shared_ptr<const Snapshot> snapshot = control_->snapshot();
  if (show.subject == ShowSubject::kNodes) {
    reply({ShowResult(show, NodeTable(*snapshot)), {}});
    return;
  }
  if (show.subject == ShowSubject::kSettings) {
    reply({ShowResult(show, SettingTable(*config())), {}});
    return;
  }
  auto collection = std::make_shared<Collection>();
  collection->missing = workers_.size();
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker* const asked = workers_[i].get();
    asked->Post([this, asked, i, collection, show, reply] {
      WorkerReport report = ReportOf(*asked, static_cast<int>(i));
      const std::lock_guard lock(collection->mu);
      collection->reports.push_back(std::move(report));
      if (--collection->missing > 0) return;
      const std::shared_ptr<const Snapshot> now = control_->snapshot();
      const std::shared_ptr<const Config> config = this->config();
      const ControlStatus status = control_->status();
      reply({AnswerFromReports(show, collection->reports, {*now, *config, status}), {}});
    });
  }
}

void Proxy::KillAnywhere(uint64_t id, const std::string& tag, const Reply& reply) {
  const size_t index = id % kMaxWorkers;
  if (index >= workers_.size()) {
    reply({SqlStatus(sqlstate::kUndefinedObject, "client " + std::to_string(id) + " does not exist",
                     "SHOW CLIENTS lists them."),
           {}});
    return;
  }
  Worker* const asked = workers_[index].get();
  asked->Post([asked, id, tag, reply] {
    if (asked->KillClient(id)) {
      reply({Tagged(tag), {}});
    } else {
      reply(
          {SqlStatus(sqlstate::kUndefinedObject, "client " + std::to_string(id) + " does not exist",
                     "SHOW CLIENTS lists them."),
           {}});
    }
  });
}

absl::StatusOr<AdminResult> Proxy::SetPaused(const std::optional<std::string>& shard, bool paused,
                                             const std::string& tag) {
  const std::shared_ptr<const Snapshot> snapshot = control_->snapshot();
  if (shard && !snapshot->map->FindShard(*shard)) {
    return SqlStatus(sqlstate::kUndefinedObject, "shard \"" + *shard + "\" does not exist",
                     "SHOW SHARDS lists them.");
  }
  std::vector<NodeAddress> nodes;
  for (const Shard& each : snapshot->map->shards()) {
    if (shard && each.name != *shard) continue;
    nodes.insert(nodes.end(), each.nodes.begin(), each.nodes.end());
  }
  for (const auto& worker : workers_) {
    worker->Post([raw = worker.get(), nodes, paused] { raw->SetPaused(nodes, paused); });
  }
  return Tagged(tag);
}

}  // namespace meridian
