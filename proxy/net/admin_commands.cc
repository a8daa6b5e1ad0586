// The admin commands that the process itself answers: what workers, nodes and settings are, and
// orders to them.

#include <atomic>

#include "proxy/admin/explain_route.h"
#include "proxy/admin/reports.h"
#include "proxy/admin/show_control.h"
#include "proxy/net/proxy.h"
#include "proxy/net/worker_reports.h"

namespace meridian {
namespace {

// The reports of all workers as they come in; whoever brings the last one answers.
struct Collection {
  std::mutex mu;
  std::vector<WorkerReport> reports;
  size_t missing = 0;
};

AdminResult Tagged(std::string tag) { return {.table = {}, .tag = std::move(tag)}; }

}  // namespace

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
    auto table = RouteTable(worker.router(), worker.DefaultContext(), explain->statement);
    if (!table.ok()) return reply({table.status(), {}});
    reply({AdminResult{*std::move(table), TagOf(statement.command)}, {}});
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
  if (ControlColumns(show.subject)) {
    return reply(AnswerFromControl(show, *control_->snapshot(), *config(), control_->status()));
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
      reply({AnswerFromReports(show, collection->reports,
                               {*now, *config, status, control_->prepared()}),
             {}});
    });
  }
}

void Proxy::KillAnywhere(uint64_t id, const std::string& tag, const Reply& reply) {
  const auto answer = [id, tag](bool killed) -> CommandReply {
    if (killed) return {Tagged(tag), {}};
    return {
        SqlStatus(sqlstate::kUndefinedObject, "client " + std::to_string(id) + " does not exist",
                  "SHOW CLIENTS lists them."),
        {}};
  };
  const size_t index = id % kMaxWorkers;
  if (index >= workers_.size()) return reply(answer(false));
  Worker* const asked = workers_[index].get();
  asked->Post([asked, id, answer, reply] { reply(answer(asked->KillClient(id))); });
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
