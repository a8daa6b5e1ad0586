#include "proxy/net/client_connection.h"

#include <algorithm>

#include "metrics/log.h"
#include "proxy/net/proxy.h"
#include "proxy/net/socket_ends.h"
#include "proxy/net/worker.h"
#include "proxy/session/causality_token.h"
#include "proxy/wire/message_writer.h"

namespace meridian {
namespace {

// A peer with more unwritten bytes than kHigh is not fed any more until it has less than kLow.
constexpr size_t kBacklogHighBytes = 256 << 10;
constexpr size_t kBacklogLowBytes = 64 << 10;
// How long a client that has closed its sending direction is still answered.
constexpr uint64_t kHalfClosedUs = 2'000'000;

std::string ReportedValue(const ParameterList& parameters, std::string_view name,
                          std::string_view fallback) {
  const auto found =
      std::find_if(parameters.begin(), parameters.end(),
                   [name](const auto& parameter) { return parameter.first == name; });
  return found != parameters.end() ? found->second : std::string(fallback);
}

bool IsMeridianName(std::string_view name) { return name.starts_with("meridian."); }

}  // namespace

ClientConnection::ClientConnection(Worker& worker, uint64_t id, bool is_unix, bool beyond_limit)
    : worker_(worker),
      id_(id),
      pid_(static_cast<uint32_t>(id & 0x7fffffff)),
      secret_(RandomBytes(4)),
      stream_(worker.loop(), worker.read_buffer(), *this, is_unix),
      opened_us_(worker.NowUs()),
      active_us_(opened_us_),
      login_(std::make_unique<ClientLogin>()),
      beyond_limit_(beyond_limit) {}

ClientConnection::~ClientConnection() = default;

bool ClientConnection::Open(int fd) {
  if (stream_.Open(fd) != 0) {
    stream_.CloseNow();
    return false;
  }
  stream_.SetReading(true);
  return true;
}

wire::OutQueue& ClientConnection::out() {
  if (session_ != nullptr) return session_->out;
  if (admin_ != nullptr) return admin_->out;
  return login_out_;
}

// ---------------------------------------------------------------------------------------------
// Bytes

void ClientConnection::OnRead(std::string_view bytes) {
  worker_.metrics().bytes_received.Add(bytes.size());
  active_us_ = uv_now(worker_.loop()) * 1000;
  if (stats_ != nullptr) stats_->totals.bytes_received += bytes.size();
  if (session_ != nullptr) {
    session_->OnClientBytes(bytes);
  } else if (admin_ != nullptr) {
    admin_->OnClientBytes(bytes);
  } else if (login_ != nullptr) {
    OnLoginBytes(bytes);
  } else {
    early_.append(bytes);
  }
  worker_.EndEvent();
}

// The client has sent all that it will. Usually it is gone; it may also have closed this direction
// only, and read on (PostgreSQL answers it): a session that owes an answer gives it, for a while.
// Where the connection is lost nobody reads on.
void ClientConnection::OnReadEnd(std::string_view /*why*/, bool lost) {
  if (session_ != nullptr && (lost ? session_->settling() : session_->owes_answer())) {
    read_ended_us_ = worker_.NowUs();
    worker_.MarkDirty(*this);
    worker_.EndEvent();
    return;
  }
  EndAfterWrite();
  worker_.EndEvent();
}

void ClientConnection::EndAfterWrite() {
  Abandon();
  worker_.MarkDirty(*this);
  stream_.Flush(out());
  stream_.CloseAfterWrite();
}

void ClientConnection::OnTick(uint64_t now_us) {
  if (read_ended_us_ == 0 || now_us - read_ended_us_ <= kHalfClosedUs) return;
  if (session_ == nullptr || !session_->settling()) EndAfterWrite();
}

void ClientConnection::OnWriteFailed() {
  if (read_ended_us_ != 0 && !session_->settling()) EndAfterWrite();
}

void ClientConnection::Abandon() {
  if (ended_) return;
  ended_ = true;
  start_.reset();
  if (session_ != nullptr) session_->OnClientClosed();
}

void ClientConnection::OnDrained() {
  worker_.MarkDirty(*this);
  worker_.EndEvent();
}

void ClientConnection::OnClosed() {
  Abandon();
  worker_.Remove(*this);  // destroys this object
}

void ClientConnection::FlushAll() {
  wire::OutQueue& queue = out();
  worker_.metrics().bytes_sent.Add(queue.size());
  if (stats_ != nullptr) stats_->totals.bytes_sent += queue.size();
  stream_.Flush(queue);
  if (start_ != nullptr && start_->server() != nullptr) worker_.Flush(*start_->server());
  if (session_ == nullptr) return;
  size_t server_backlog = 0;
  session_->ForEachServer([&](Server& server) {
    if (!server.out.empty()) server.pool.metrics().bytes_sent.Add(server.out.size());
    worker_.Flush(server);
    if (server.handle != nullptr) {
      server_backlog =
          std::max(server_backlog, static_cast<ServerConnection*>(server.handle)->backlog());
    }
  });
  session_->OnFlushed();
  ThrottleServers();
  if (read_ended_us_ != 0 && !ended_ && !session_->owes_answer()) {
    EndAfterWrite();
    return;
  }
  if (!stream_.closing() && !ended_ && read_ended_us_ == 0) {
    stream_.SetReading(session_->WantsInput() && server_backlog < kBacklogHighBytes);
  }
}

// A client that does not read must not make the proxy hold its results.
void ClientConnection::ThrottleServers() {
  const size_t backlog = stream_.backlog();
  if (!servers_throttled_ && backlog < kBacklogHighBytes) return;
  servers_throttled_ = servers_throttled_ ? backlog > kBacklogLowBytes : true;
  session_->ForEachServer([this](Server& server) {
    if (server.handle == nullptr) return;
    static_cast<ServerConnection*>(server.handle)
        ->SetPaused(ServerConnection::kClientIsSlow, servers_throttled_);
  });
}

void ClientConnection::Fatal(const SqlError& error) {
  if (ended_) return;
  if (session_ != nullptr) {
    session_->Terminate(error, true);
    return;
  }
  wire::AppendError(out().Own(), wire::Severity::kFatal, error);
  CloseAfterWrite();
}

void ClientConnection::CloseAfterWrite() {
  Abandon();
  worker_.MarkDirty(*this);
  // What is queued is written at the end of this event; the close comes behind it.
  stream_.SetReading(false);
  stream_.Flush(out());
  stream_.CloseAfterWrite();
}

// ---------------------------------------------------------------------------------------------
// Login

void ClientConnection::OnLoginBytes(std::string_view bytes) {
  worker_.MarkDirty(*this);
  const Config& config = *worker_.proxy().config();
  const ClientLogin::World world{
      .config = config,
      .roles = *worker_.snapshot().roles,
      .method = stream_.is_unix() ? config.auth.unix_socket : config.auth.tcp,
      .mock_secret = worker_.proxy().mock_secret(),
      .now_s = time(nullptr),
      .beyond_limit = beyond_limit_};
  switch (login_->OnBytes(bytes, world, login_out_)) {
    case ClientLogin::Step::kMore:
      return;
    case ClientLogin::Step::kCancel:
      worker_.proxy().Cancel(login_->cancel().pid, login_->cancel().secret);
      stream_.CloseNow();
      return;
    case ClientLogin::Step::kFailed:
      if (login_->refused()) {
        worker_.proxy().CountRefusedClient();
        CloseAfterWrite();
        return;
      }
      worker_.metrics().logins_failed.Add();
      LogWarning("login failed", {{"client", id_},
                                  {"peer", EndsOf(stream_).peer},
                                  {"user", login_->startup().user},
                                  {"database", login_->startup().database}});
      if (login_->roles_may_be_stale()) worker_.proxy().RefreshRoles();
      CloseAfterWrite();
      return;
    case ClientLogin::Step::kClose:
      stream_.CloseNow();
      return;
    case ClientLogin::Step::kLoggedIn:
      OnLoggedIn(bytes);
      return;
  }
}

void ClientConnection::OnLoggedIn(std::string_view rest) {
  early_ = std::string(rest);
  login_user_ = login_->startup().user;
  login_database_ = login_->startup().database;
  // What is wrong from here on is said to a client that has proved who it is.
  wire::AppendAuthentication(login_out_.Own(), wire::kAuthOk);
  if (login_->admin()) {
    StartAdmin();
    return;
  }
  if (worker_.draining()) {
    Fatal(worker_.drain_reason());
    return;
  }
  if (worker_.proxy().config()->FindDatabase(login_database_) == nullptr) {
    Fatal({.sqlstate = std::string(sqlstate::kInvalidCatalogName),
           .message = "database \"" + login_database_ + "\" does not exist",
           .detail = {},
           .hint = {}});
    return;
  }
  if (!worker_.snapshot().Serves()) {
    Fatal({.sqlstate = std::string(sqlstate::kCannotConnectNow),
           .message = "Meridian has no shard to serve this database",
           .detail = {},
           .hint = "CREATE SHARD in the admin database \"meridian\", or see its SHOW NODES."});
    return;
  }
  if (login_->keys()) worker_.RememberKeys(login_user_, *login_->keys());
  StartSession();
}

void ClientConnection::StartAdmin() {
  Greet(AdminParameters());
  stream_.Flush(login_out_);
  admin_ = std::make_unique<AdminSession>(worker_, id_, login_user_);
  admin_->handle = this;
  login_.reset();
  const std::string early = std::exchange(early_, std::string());
  if (!early.empty()) admin_->OnClientBytes(early);
}

void ClientConnection::StartSession() {
  const Config& config = *worker_.proxy().config();
  const UserConfig* const user = config.FindUser(login_user_);
  startup_meridian_.read_consistency = user != nullptr
                                           ? user->read_consistency
                                           : config.FindDatabase(login_database_)->read_consistency;
  startup_meridian_.max_staleness_ms = static_cast<uint32_t>(config.replicas.max_staleness.count());
  std::vector<Settings::Entry> entries;
  for (const auto& [name, value] : login_->startup().settings) {
    if (!IsMeridianName(name)) {
      entries.emplace_back(name, value);
      continue;
    }
    if (name == kCausalityToken) {
      startup_token_ = std::make_unique<const std::string>(value);
      const absl::Status read = ParseCausalityToken(value).status();
      if (read.ok()) continue;
      Fatal(ToSqlError(read));
      return;
    }
    const MeridianSetting* const setting = FindMeridianSetting(name);
    const absl::Status set = setting == nullptr
                                 ? UnknownMeridianSetting(name)
                                 : setting->set(startup_meridian_, value, worker_.router());
    if (!set.ok()) {
      Fatal(ToSqlError(set));
      return;
    }
  }
  startup_settings_ = worker_.settings().Intern(std::move(entries));
  const std::string* encoding = startup_settings_->Find("client_encoding");
  const absl::Status readable =
      encoding != nullptr ? CheckClientEncoding(*encoding) : absl::OkStatus();
  if (!readable.ok()) {
    Fatal(ToSqlError(readable));
    return;
  }
  BeginStart();
}

// A server of the default shard says what to tell the client, unless that is known.
void ClientConnection::BeginStart() {
  auto pool = worker_.PoolFor(login_database_, login_user_, ShardMap::kDefaultShard);
  if (!pool.ok()) {
    FinishStart(pool.status(), nullptr, nullptr);
    return;
  }
  // In session mode the client has its server from the start: BackendKeyData tells its PID.
  const bool keep_server = PoolModeOfLogin() == PoolMode::kSession;
  const auto* known = worker_.FindStart(**pool, *startup_settings_);
  if (known != nullptr && !keep_server) {
    FinishStart(*known, *pool, nullptr);
    return;
  }
  login_.reset();
  start_ = std::make_unique<SessionStart>(
      worker_.pools(), **pool, startup_settings_, keep_server,
      [this, chosen = *pool](const absl::StatusOr<ParameterList>& parameters, Server* server) {
        worker_.MarkDirty(*this);
        if (parameters.ok()) worker_.RememberStart(*chosen, *startup_settings_, *parameters);
        const std::unique_ptr<SessionStart> finished = std::move(start_);
        FinishStart(parameters, chosen, server);
      });
  start_->Begin();
}

PoolMode ClientConnection::PoolModeOfLogin() const {
  const DatabaseConfig* database = worker_.proxy().config()->FindDatabase(login_database_);
  return database != nullptr ? database->pool_mode : PoolMode::kTransaction;
}

// As a statement does, the start waits for a primary that is down or being replaced.
bool ClientConnection::AwaitPrimary(const absl::Status& why) {
  const uint64_t now = worker_.NowUs();
  if (primary_missing_since_us_ == 0) primary_missing_since_us_ = now;
  if (ended_ || worker_.draining() || !Session::IsPrimaryMissing(why) ||
      now - primary_missing_since_us_ >= worker_.primary_timeout_us()) {
    return false;
  }
  awaits_primary_ = true;
  worker_.AwaitNodes(id_);
  return true;
}

void ClientConnection::OnNodesMayHaveChanged() {
  if (session_ != nullptr) {
    session_->OnNodesMayHaveChanged();
  } else if (std::exchange(awaits_primary_, false) && !ended_) {
    worker_.MarkDirty(*this);
    BeginStart();
  }
}

void ClientConnection::FinishStart(const absl::StatusOr<ParameterList>& parameters,
                                   const Pool* pool, Server* server) {
  login_.reset();
  if (!parameters.ok() && AwaitPrimary(parameters.status())) return;
  if (!parameters.ok()) {
    worker_.metrics().logins_failed.Add();
    Fatal(ToSqlError(parameters.status()));
    return;
  }
  // What ALTER ROLE ... SET, or the server's configuration, may have chosen.
  const std::string encoding_name = ReportedValue(*parameters, "client_encoding", "UTF8");
  if (const absl::Status readable = CheckClientEncoding(encoding_name); !readable.ok()) {
    worker_.metrics().logins_failed.Add();
    if (server != nullptr) worker_.pools().Return(*server, Release::kClean);
    Fatal(ToSqlError(readable));
    return;
  }
  if (server != nullptr) pid_ = server->backend_pid;
  Greet(*parameters);
  stream_.Flush(login_out_);
  session_ = std::make_unique<Session>(worker_,
                                       SessionIdentity{.client_id = id_,
                                                       .pid = pid(),
                                                       .user = login_user_,
                                                       .database = login_database_,
                                                       .defaults = pool->defaults(),
                                                       .pool_mode = PoolModeOfLogin()},
                                       startup_settings_, startup_meridian_);
  session_->handle = this;
  if (startup_token_ != nullptr) session_->RequireToken(*startup_token_).IgnoreError();  // was read
  stats_ = &worker_.StatsOf(login_database_);
  user_pools_ = &worker_.PoolsOf(login_database_, login_user_);
  if (server != nullptr) session_->Adopt(*server, ShardMap::kDefaultShard);
  worker_.MarkDirty(*this);
  const std::string early = std::exchange(early_, std::string());
  if (!early.empty()) {
    session_->OnClientBytes(early);
    FlushAll();  // `early` ends here, and with it what was borrowed from it
  }
}

void ClientConnection::Greet(const ParameterList& parameters) {
  worker_.metrics().logins_ok.Add();
  std::string& own = login_out_.Own();
  for (const auto& [name, value] : parameters) wire::AppendParameterStatus(own, name, value);
  wire::AppendBackendKeyData(own, pid(), secret_);
  wire::AppendReadyForQuery(own, wire::kIdle);
}

}  // namespace meridian
