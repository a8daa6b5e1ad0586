#include "proxy/pool/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proxy/wire/message_writer.h"

namespace meridian {

NodePool::NodePool(PoolKey key, ShardMetrics& metrics, PoolContext& context, bool paused)
    : Pool(std::move(key), metrics),
      context_(context),
      share_(context.budgets.Of(key_.ToString()), context.budgets),
      paused_(paused) {}

// When all goes down: those who waited or owned a connection may be gone already.
NodePool::~NodePool() {
  while (!waiters_.empty()) EndWait(waiters_.begin());
  while (!servers_.empty()) Close(*servers_.back());
}

PoolStats NodePool::Stats(uint64_t now_us) const {
  return {.active = active_ + cleaning_,
          .idle = idle_.size(),
          .login = logins_,
          .waiting = waiters_.size(),
          .oldest_wait_us = waiters_.empty() ? 0 : now_us - waiters_.front().since_us,
          .unsolicited = unsolicited_};
}

Server* NodePool::Acquire(PoolClient& client) {
  if (!idle_.empty() && waiters_.empty() && !paused_) return TakeIdle();
  Wait(client);
  OpenMore(context_.host.NowUs());
  return nullptr;
}

Server* NodePool::TakeIdle() {
  Server* server = idle_.back();
  idle_.pop_back();
  SetState(*server, Server::State::kActive);
  return server;
}

void NodePool::Wait(PoolClient& client) {
  waiters_.push_back({this, &client, context_.host.NowUs(), next_wait_++});
  context_.waits[&client].push_back(std::prev(waiters_.end()));
  metrics_.waiting.Add();
  metrics_.waits.Add();
}

PoolClient& NodePool::EndWait(WaitList::iterator wait) {
  PoolClient& client = *wait->client;
  metrics_.waiting.Sub();
  metrics_.wait_us.Add(context_.host.NowUs() - wait->since_us);
  const auto found = context_.waits.find(&client);
  auto& waits = found->second;
  waits.erase(std::find(waits.begin(), waits.end(), wait));
  if (waits.empty()) context_.waits.erase(found);
  waiters_.erase(wait);
  share_.SetNeed(WantsMore(context_.host.NowUs()));
  return client;
}

void NodePool::Return(Server& server, Release how) {
  if (server.state != Server::State::kActive) return;
  server.owner = nullptr;
  const bool in_transaction = server.transaction_status == wire::kInTransaction ||
                              server.transaction_status == wire::kFailedTransaction;
  if (how != Release::kDrop && !server.out.empty()) context_.host.Flush(server);
  const bool between_messages = server.stream.AtBoundary() && server.out.empty();
  if (how == Release::kDrop || !between_messages || (how == Release::kClean && in_transaction) ||
      (!in_transaction && server.transaction_status != wire::kIdle)) {
    Close(server);
  } else if (how == Release::kReset || in_transaction || server.cancels_in_flight > 0) {
    SetState(server, Server::State::kCleaning);
    server.deadline_us = context_.host.NowUs() + ServerPools::kCleaningTimeoutUs;
    Clean(server, how);
  } else {
    MakeIdle(server);
  }
  Serve();
}

void NodePool::MakeIdle(Server& server) {
  const uint64_t now_us = context_.host.NowUs();
  SetState(server, Server::State::kIdle);
  server.idle_since_us = now_us;
  idle_.push_back(&server);
  if (MustClose(server, now_us)) Close(server);
}

bool NodePool::MustClose(const Server& server, uint64_t now_us) {
  const uint64_t lifetime_us = context_.limits.server_lifetime_us;
  return server.close_when_released || share_.is_over_limit() ||
         (lifetime_us > 0 && now_us - server.opened_us >= lifetime_us) ||
         share_.GivesUp(server.opened_us, now_us);
}

// The callbacks may come back to this pool: the innermost call only changes the lists, and the
// outermost goes on until they fit. So any number of sessions is served without recursion.
void NodePool::Serve() {
  if (serving_) return;
  serving_ = true;
  while (!idle_.empty() && !waiters_.empty() && !paused_) {
    Server& server = *TakeIdle();
    EndWait(waiters_.begin()).OnServer(server);
    if (server.state == Server::State::kActive && !server.out.empty()) context_.host.Flush(server);
  }
  serving_ = false;
  if (!waiters_.empty()) OpenMore(context_.host.NowUs());
}

void NodePool::FailWaiters(const absl::Status& status) {
  // Not those that begin to wait in the callbacks.
  const uint64_t end = next_wait_;
  while (!waiters_.empty() && waiters_.front().number < end) {
    EndWait(waiters_.begin()).OnServerFailed(status);
  }
}

absl::Status NodePool::QueueTimeout() const {
  const double seconds = static_cast<double>(context_.limits.queue_timeout_us) / 1e6;
  if (paused_) {
    return SqlStatus(sqlstate::kCannotConnectNow,
                     fmt::format("node {} is paused, and was not resumed within {} s",
                                 key_.node.ToString(), seconds),
                     "Try again, or have an administrator RESUME the shard.");
  }
  return SqlStatus(
      sqlstate::kTooManyConnections,
      fmt::format("no server connection became free within {} s (queue_timeout)", seconds),
      "Raise pool_size (and the node's max_connections), or keep transactions and sessions that "
      "hold a connection short; SHOW SERVERS in the admin database tells who holds them.",
      fmt::format("{} of {} connections of pool {} are in use, {} sessions wait.",
                  share_.budget().used(), share_.budget().limit(), key_.ToString(),
                  waiters_.size()));
}

void NodePool::FailOverdueWaiters(uint64_t now_us) {
  const uint64_t timeout_us = context_.limits.queue_timeout_us;
  if (timeout_us == 0) return;
  const uint64_t end = next_wait_;
  while (!waiters_.empty() && waiters_.front().number < end &&
         now_us - waiters_.front().since_us >= timeout_us) {
    const absl::Status status = QueueTimeout();
    metrics_.wait_timeouts.Add();
    EndWait(waiters_.begin()).OnServerFailed(status);
  }
}

void NodePool::CloseExpired(uint64_t now_us) {
  const uint64_t idle_us = context_.limits.server_idle_timeout_us;
  const uint64_t lifetime_us = context_.limits.server_lifetime_us;
  for (size_t i = 0; i < idle_.size();) {
    Server& server = *idle_[i];
    if ((idle_us > 0 && now_us - server.idle_since_us >= idle_us) ||
        (lifetime_us > 0 && now_us - server.opened_us >= lifetime_us)) {
      Close(server);
    } else {
      ++i;
    }
  }
}

void NodePool::OnSlotsFreed() {
  const uint64_t now_us = context_.host.NowUs();
  while (!idle_.empty() &&
         (share_.is_over_limit() ||
          share_.Lends(idle_.front()->opened_us, idle_.front()->idle_since_us, now_us))) {
    Close(*idle_.front());
  }
  Serve();
}

void NodePool::OnTick(uint64_t now_us) {
  FailOverdueLogins(now_us);
  CloseUncleaned(now_us);
  CloseExpired(now_us);
  FailOverdueWaiters(now_us);
  if (!context_.closed.ok()) FailWaiters(context_.closed);
  if (IsDown(now_us) && !paused_) FailWaiters(login_error_);
  OnSlotsFreed();
}

void NodePool::SetPaused(bool paused) {
  paused_ = paused;
  Serve();
}

void NodePool::RetireLoggedIn() {
  while (!idle_.empty()) Close(*idle_.back());
  for (const auto& server : servers_) {
    if (server->state != Server::State::kLogin) server->close_when_released = true;
  }
}

void NodePool::Retire() {
  RetireLoggedIn();
  // They may have reached the node in its old role.
  for (size_t i = servers_.size(); i > 0; --i) {
    if (servers_[i - 1]->state == Server::State::kLogin) Close(*servers_[i - 1]);
  }
  Serve();
}

void NodePool::CutOff(const SqlError& why) {
  Retire();
  std::vector<Server*> owned;
  for (const auto& server : servers_) {
    if (server->owner != nullptr) owned.push_back(server.get());
  }
  // A callback may close others of them; the objects stay until the next tick.
  for (Server* const server : owned) {
    ServerOwner* const owner = server->owner;
    if (server->state != Server::State::kActive || owner == nullptr) continue;
    Close(*server);
    owner->OnServerClosed(*server, why);
  }
  Serve();
}

void NodePool::CloseAll(const absl::Status& why) {
  FailWaiters(why);
  while (!servers_.empty()) {
    Server& server = *servers_.back();
    ServerOwner* owner = server.owner;
    Close(server);
    if (owner != nullptr) owner->OnServerClosed(server, ToSqlError(why));
  }
}

void NodePool::Close(Server& server) {
  if (server.state == Server::State::kIdle) {
    idle_.erase(std::find(idle_.begin(), idle_.end(), &server));
    // Only here is it sure that it does not end up within a message.
    if (server.out.empty()) wire::AppendEmptyMessage(server.out.Own(), wire::kTerminate);
  }
  if (server.state != Server::State::kLogin) metrics_.servers_closed.Add();
  SetState(server, Server::State::kClosing);
  server.owner = nullptr;
  context_.servers.erase(server.id);
  context_.host.Disconnect(server);
  const auto place =
      std::find_if(servers_.begin(), servers_.end(),
                   [&server](const auto& candidate) { return candidate.get() == &server; });
  context_.graveyard.push_back(std::move(*place));
  *place = std::move(servers_.back());
  servers_.pop_back();
  share_.GiveBack();
}

void NodePool::SetState(Server& server, Server::State state) {
  Count(server.state, -1);
  server.state = state;
  Count(state, 1);
}

void NodePool::Count(Server::State state, int64_t change) {
  switch (state) {
    case Server::State::kLogin:
      logins_ += change;
      metrics_.servers_login.Add(change);
      break;
    case Server::State::kIdle:
      metrics_.servers_idle.Add(change);
      break;
    case Server::State::kActive:
      active_ += change;
      metrics_.servers_active.Add(change);
      break;
    case Server::State::kCleaning:
      cleaning_ += change;
      metrics_.servers_active.Add(change);
      break;
    case Server::State::kClosing:
      break;
  }
}

}  // namespace meridian
