// Opening server connections (NodePool of pool.h).
#include <fmt/format.h>

#include <utility>

#include "proxy/pool/pool.h"

namespace meridian {

void NodePool::SetCredentials(ServerCredentials credentials) {
  if (credentials == credentials_) return;
  if (credentials.password != credentials_.password) derived_.reset();
  credentials_ = std::move(credentials);
  // What failed for want of a password may succeed now.
  retry_at_us_ = 0;
}

bool NodePool::WantsMore(uint64_t now_us) const {
  return logins_ + idle_.size() < waiters_.size() && !paused_ && now_us >= retry_at_us_ &&
         context_.closed.ok();
}

void NodePool::OpenMore(uint64_t now_us) {
  bool opened = false;
  while (WantsMore(now_us)) {
    if (!share_.Take(now_us)) {
      // The others saw that a slot was free for this worker; now it lacks the next one.
      if (opened) context_.budgets.WakeAll();
      break;
    }
    Open(now_us);
    opened = true;
  }
  share_.SetNeed(WantsMore(now_us));
}

void NodePool::Open(uint64_t now_us) {
  auto owned = std::make_unique<Server>(context_.next_server_id++, *this);
  Server& server = *owned;
  const uint64_t timeout_us = context_.limits.connect_timeout_us;
  server.settings = context_.settings.Empty();
  server.opened_us = now_us;
  server.deadline_us = timeout_us == 0 ? 0 : now_us + timeout_us;
  server.login = std::make_unique<ServerLogin>(key_, credentials_, derived_);
  servers_.push_back(std::move(owned));
  context_.servers.emplace(server.id, &server);
  Count(Server::State::kLogin, 1);
  context_.host.Connect(server, key_.node);
}

void NodePool::OnConnected(Server& server) {
  if (server.state == Server::State::kLogin) server.login->Start(server.out.Own());
}

void NodePool::OnLoginBytes(Server& server, std::string_view bytes) {
  while (server.state == Server::State::kLogin) {
    const auto event = server.stream.Next(bytes);
    if (event.kind == wire::MessageStream::Kind::kNone) return;
    if (event.kind == wire::MessageStream::Kind::kBroken) {
      OnLoginFailed(server, SqlStatus(sqlstate::kProtocolViolation,
                                      fmt::format("node {} does not speak PostgreSQL's protocol",
                                                  key_.node.ToString()),
                                      "Check that this address is a PostgreSQL server."));
      return;
    }
    const auto next = server.login->OnMessage(event.type, event.bytes, event.starts, event.ends,
                                              server.out.Own());
    if (!next.ok()) {
      OnLoginFailed(server, next.status());
    } else if (*next == ServerLogin::Next::kDone) {
      OnLoginDone(server, bytes);
    } else if (*next == ServerLogin::Next::kKeys) {
      const ScramChallenge& challenge = server.login->challenge();
      context_.host.DeriveKeys(server.id, server.login->password(), challenge.salt,
                               challenge.iterations);
    }
  }
}

void NodePool::OnKeys(Server& server, absl::StatusOr<ScramKeys> keys) {
  if (server.state != Server::State::kLogin) return;
  absl::Status status = keys.status();
  if (status.ok()) status = server.login->OnKeys(*std::move(keys), server.out.Own());
  if (!status.ok()) {
    OnLoginFailed(server, status);
    return;
  }
  context_.host.Flush(server);
}

// `rest`: what came behind the end of the login.
void NodePool::OnLoginDone(Server& server, std::string_view rest) {
  const std::unique_ptr<ServerLogin> login = std::move(server.login);
  PoolProfile profile = login->TakeProfile();
  // Its defaults have changed since the others logged in (ALTER ROLE ... SET, a reload): two
  // connections of a pool must not answer differently.
  if (profile_ != profile) {
    if (profile_) RetireLoggedIn();
    profile_ = std::move(profile);
    defaults_ = context_.settings.Intern(profile_->defaults);
    ++profile_version_;
  }
  if (login->password_is(credentials_)) derived_ = login->derived();
  server.backend_pid = login->backend_pid();
  server.cancel_secret = login->cancel_secret();
  retry_at_us_ = 0;
  metrics_.servers_opened.Add();
  MakeIdle(server);
  if (!rest.empty() && server.state == Server::State::kIdle) OnUnlinkedBytes(server, rest);
  Serve();
}

void NodePool::OnLoginFailed(Server& server, const absl::Status& status) {
  metrics_.server_login_failures.Add();
  Close(server);
  login_error_ = status;
  retry_at_us_ = context_.host.NowUs() + ServerPools::kRetryAfterUs;
  // Where other connections are open, or being opened, they will serve those who wait.
  if (servers_.empty() && !paused_) FailWaiters(status);
  Serve();
}

void NodePool::FailOverdueLogins(uint64_t now_us) {
  if (logins_ == 0) return;
  for (size_t i = servers_.size(); i > 0; --i) {
    // The callbacks of a failure may close others.
    if (i > servers_.size()) continue;
    Server& server = *servers_[i - 1];
    if (server.state != Server::State::kLogin || server.deadline_us == 0 ||
        now_us < server.deadline_us) {
      continue;
    }
    OnLoginFailed(
        server,
        SqlStatus(sqlstate::kConnectionFailure,
                  fmt::format("connecting to node {} took longer than {} s (connect_timeout)",
                              key_.node.ToString(),
                              static_cast<double>(context_.limits.connect_timeout_us) / 1e6),
                  "Check that the node runs and can be reached."));
  }
}

}  // namespace meridian
