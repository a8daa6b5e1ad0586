#include "tests/proxy/session/stage.h"

#include <algorithm>
#include <cstdio>

#include "proxy/wire/error_response.h"
#include "tests/proxy/pool/fake_host.h"
#include "tests/proxy/session/message_text.h"
#include "tests/proxy/session/shop_world.h"

namespace meridian {
namespace {

// What a worker keeps over the life of many sessions.
struct Lasting {
  Lasting() { router.Publish(world.map, world.schema); }
  World world{kShop};
  Router router{{}};
  SqlContexts contexts;
  WorkerMetrics metrics;
  bool changed = false;
};

Lasting& Worker() {
  static Lasting* lasting = new Lasting;
  return *lasting;
}

bool Within(std::string_view part, std::string_view whole) {
  return !part.empty() && part.data() >= whole.data() && part.data() < whole.data() + whole.size();
}

}  // namespace

Stage::Stage(const Conversation::Options& options, MakeBackend make_backend)
    : options_(options),
      make_backend_(std::move(make_backend)),
      router_(Worker().router),
      budgets_(options.pool_size) {
  if (std::exchange(Worker().changed, false)) {
    router_.Publish(Worker().world.map, Worker().world.schema);
  }
  pools_ = std::make_unique<ServerPools>(*this, budgets_, settings_, PoolLimits{});
  budgets_.AddWorker([this] { slots_freed_ = true; });
}

Stage::~Stage() {
  for (auto& [name, client] : clients_) client.session.reset();
  pools_.reset();
}

SqlContexts& Stage::contexts() { return Worker().contexts; }
WorkerMetrics& Stage::metrics() { return Worker().metrics; }

Stage::Client& Stage::client(char name) {
  const auto [found, added] = clients_.try_emplace(name);
  if (added) {
    const auto startup = options_.startup.find(name);
    std::vector<Settings::Entry> entries;
    if (startup != options_.startup.end()) entries = startup->second;
    SessionIdentity identity{.client_id = static_cast<uint64_t>(name),
                             .pid = 1,
                             .user = "postgres",
                             .database = "shop",
                             .defaults = settings_.Intern(Defaults())};
    if (options_.session_mode.find(name) != std::string::npos) {
      identity.pool_mode = PoolMode::kSession;
    }
    found->second.session = std::make_unique<Session>(
        *this, std::move(identity), settings_.Intern(std::move(entries)), MeridianSettings{});
    found->second.session->handle = &found->second;
  }
  return found->second;
}

// ---------------------------------------------------------------------------------------------
// Events

void Stage::Event(std::string_view bytes, const std::function<void(std::string_view)>& happen) {
  std::vector<char> copy(bytes.begin(), bytes.end());
  happen({copy.data(), copy.size()});
  Collect({copy.data(), copy.size()}, nullptr);
  Check();
}

void Stage::ClientSends(char name, std::string_view bytes) {
  Client& from = client(name);
  if (from.closed || from.gone) return;
  Trace({name}, "sends", bytes);
  Event(bytes, [&](std::string_view read) { from.session->OnClientBytes(read); });
}

void Stage::ClientVanishes(char name) {
  Client& from = client(name);
  if (from.closed || from.gone) return;
  from.gone = true;
  Trace({name}, "vanishes", {});
  Event({}, [&](std::string_view) { from.session->OnClientClosed(); });
}

void Stage::ClientCancels(char name) {
  Trace({name}, "cancels", {});
  Event({}, [&](std::string_view) { client(name).session->OnCancel(); });
}

void Stage::ServerSpeaks(Link& link, size_t size) {
  const std::string bytes = link.answer.substr(0, size);
  link.answer.erase(0, bytes.size());
  link.said += bytes;
  Trace(link.name, "says", bytes);
  while (const size_t message = WholeMessage(link.said)) {
    if (link.said[0] == wire::kReadyForQuery && link.owed > 0) --link.owed;
    link.said.erase(0, message);
  }
  std::vector<char> copy(bytes.begin(), bytes.end());
  const std::string_view read(copy.data(), copy.size());
  const auto* owner = dynamic_cast<Session*>(link.server->owner);
  pools_->OnServerBytes(*link.server, read);
  Collect(read, owner);
  Check();
}

void Stage::ServerDies(Link& link) {
  Trace(link.name, "dies", {});
  Event({}, [&](std::string_view) { pools_->OnServerClosed(*link.server, "it died"); });
}

void Stage::ChangeMap(std::shared_ptr<const ShardMap> map, std::shared_ptr<const Schema> schema) {
  Worker().changed = true;
  Trace("map", "changes", {});
  const auto before = router_.shared_map();
  router_.Publish(map, std::move(schema));
  Event({}, [&](std::string_view) {
    for (auto& [name, client] : clients_) client.session->OnMapChanged(*before, *map);
    for (auto& [name, client] : clients_) client.session->OnNodesMayHaveChanged();
  });
}

void Stage::Tick(uint64_t microseconds) {
  now_us_ += microseconds;
  Event({}, [&](std::string_view) { pools_->OnTick(); });
}

// Moves what the event has produced to where it goes.
void Stage::Collect(std::string_view bytes, const Session* owner) {
  for (auto& [name, client] : clients_) {
    client.session->out.ForEachSlice([&](std::string_view slice) {
      if (owner != nullptr && owner != client.session.get() && Within(slice, bytes)) {
        problems.push_back("a client gets bytes of a server that it does not own");
      }
      client.seen.append(slice);
      Trace({name}, "sees", slice);
    });
    client.session->out.Clear();
  }
  for (const auto& link : links_) {
    if (link->server != nullptr && link->logged_in) Receive(*link);
  }
}

// Takes what was sent to the server to its other end.
void Stage::Receive(Link& link) {
  std::string sent;
  link.server->out.MoveRest(0, sent);
  if (sent.empty()) return;
  link.received += sent;
  Trace(link.name, "receives", sent);
  while (const size_t size = WholeMessage(link.received)) {
    const char type = link.received[0];
    link.owed += type == wire::kQuery || type == wire::kSync || type == wire::kFunctionCall;
    link.received.erase(0, size);
  }
  link.backend->OnBytes(sent, link.server->state == Server::State::kCleaning);
  link.answer += link.backend->TakeAnswer();
}

void Stage::Trace(const std::string& who, std::string_view what, std::string_view bytes) const {
  if (!trace) return;
  std::fprintf(stderr, "%s %s %s\n", who.c_str(), std::string(what).c_str(), Quoted(bytes).c_str());
}

// What holds between events, whatever happens.
void Stage::Check() {
  for (const auto& link : links_) {
    if (link->server == nullptr || !link->logged_in) continue;
    const Server& server = *link->server;
    switch (server.state) {
      case Server::State::kIdle:
        if (!link->received.empty()) problems.push_back(link->name + " is idle within a message");
        if (link->owed > 0 && honest_servers) {
          problems.push_back(link->name + " is idle and owes answers");
        }
        break;
      case Server::State::kCleaning:
        if (!link->received.empty()) {
          problems.push_back(link->name + " is cleaned within a message");
        }
        break;
      case Server::State::kActive: {
        bool used = false;
        for (const auto& [name, client] : clients_) {
          client.session->ForEachServer([&](const Server& other) { used |= &other == &server; });
        }
        if (!used) problems.push_back(link->name + " belongs to nobody");
        break;
      }
      default:
        break;
    }
  }
  for (const auto& [name, client] : clients_) {
    client.session->ForEachServer([&](const Server& server) {
      if (server.owner != client.session.get() || server.state != Server::State::kActive) {
        problems.push_back("a session uses a server that is not its own");
      }
    });
  }
}

// ---------------------------------------------------------------------------------------------
// What happens by itself

void Stage::Settle(const Read& read) {
  while (Turn(read)) {
  }
}

bool Stage::Turn(const Read& read) {
  bool happened = false;
  for (size_t i = 0; i < links_.size(); ++i) {
    Link& link = *links_[i];
    if (link.server == nullptr) continue;
    if (!link.logged_in) {
      if (hold_logins) continue;
      LogIn(link);
      happened = true;
    } else if (!link.answer.empty() && link.reading) {
      read(link, link.answer.size());
      happened = true;
    } else if (link.answer.empty() && link.backend->closes()) {
      ServerDies(link);
      happened = true;
    }
  }
  for (Session* session : std::exchange(refreshing_, {})) {
    happened = true;
    Event({}, [&](std::string_view) { session->OnSchemaRefreshed(); });
  }
  for (const uint64_t server_id : std::exchange(cancels_, {})) {
    happened = true;
    Event({}, [&](std::string_view) { pools_->OnCancelDone(server_id); });
  }
  if (std::exchange(slots_freed_, false)) {
    happened = true;
    Event({}, [&](std::string_view) { pools_->OnSlotsFreed(); });
  }
  return happened;
}

// Recordings begin behind the login, which tests/proxy/pool tests.
void Stage::LogIn(Link& link) {
  Server& server = *link.server;
  pools_->OnConnected(server);
  pools_->OnServerBytes(server, TrustLogin());
  server.out.Clear();
  link.logged_in = true;
  Event(DefaultsAnswer(), [&](std::string_view answer) { pools_->OnServerBytes(server, answer); });
}

// ---------------------------------------------------------------------------------------------
// What sessions and pools ask for

Stage::Link* Stage::FindLink(const Server& server) {
  for (const auto& link : links_) {
    if (link->server == &server) return link.get();
  }
  return nullptr;
}

void Stage::CloseClient(Session& session) { static_cast<Client*>(session.handle)->closed = true; }

absl::StatusOr<Pool*> Stage::PoolOf(Session& session, ShardIndex shard) {
  const ShardMap& map = router_.map();
  if (shard.value >= map.shards().size()) {
    return SqlStatus(sqlstate::kCannotConnectNow, "the shard does not exist any more");
  }
  return &pools_->Get(
      {map.shard(shard).nodes[0], session.identity().database, session.identity().user},
      metrics().shards[0]);
}

const ShardNodes* Stage::NodesOf(ShardIndex shard) {
  const ShardMap& map = router_.map();
  if (!options_.replicas || shard.value >= map.shards().size()) return nullptr;
  const auto [found, added] = nodes_.try_emplace(map.shard(shard).name);
  if (added) {
    NodeAddress address = map.shard(shard).nodes[0];
    for (const char* const suffix : {"", "r"}) {
      NodeState& node = found->second.nodes.emplace_back();
      node.address = address;
      node.address.host += suffix;
      const auto samples = std::make_shared<NodeSamples>();
      samples->SetUsable(true);
      node.samples = samples;
    }
    found->second.primary = 0;
    found->second.replicas = {1};
  }
  return &found->second;
}

std::optional<SessionHost::ReplicaPool> Stage::ReplicaPoolOf(Session& session, ShardIndex shard,
                                                             absl::Span<const size_t> candidates) {
  const NodeAddress& node = NodesOf(shard)->nodes[candidates[0]].address;
  const SessionIdentity& identity = session.identity();
  return ReplicaPool{candidates[0],
                     &pools_->Get({node, identity.database, identity.user}, metrics().shards[0])};
}

void Stage::CancelServer(Server& server) {
  ++server.cancels_in_flight;
  if (Link* const link = FindLink(server)) ++link->cancels;
  cancels_.push_back(server.id);
}

void Stage::SetReading(Server& server, bool on) {
  if (Link* const link = FindLink(server)) link->reading = on;
}

std::string Stage::NewTransactionName(std::string_view lead_shard) {
  const std::string name =
      "meridian_test_0_" + std::to_string(++transactions_) + "_" + std::string(lead_shard);
  transaction_names_.insert(name);
  return name;
}

void Stage::EndTransactionName(const std::string& name) { transaction_names_.erase(name); }

void Stage::Connect(Server& server, const NodeAddress& node) {
  auto link = std::make_unique<Link>();
  link->server = &server;
  link->name = node.host + "." + std::to_string(++connections_[node.host]);
  link->backend = make_backend_(link->name);
  links_.push_back(std::move(link));
}

void Stage::Flush(Server& server) {
  if (Link* const link = FindLink(server); link->logged_in) Receive(*link);
}

void Stage::Disconnect(Server& server) {
  server.out.Clear();
  FindLink(server)->server = nullptr;
}

}  // namespace meridian
