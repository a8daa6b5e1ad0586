#include "proxy/net/proxy.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "metrics/fault_points.h"
#include "metrics/log.h"
#include "proxy/auth/scram_crypto.h"
#include "proxy/wire/message_writer.h"

namespace meridian {
namespace {

constexpr uint64_t kDrainTickMs = 100;
constexpr size_t kWorkerStackBytes = 16 << 20;  // the parser recurses
// Further connections that are asked what they want before they are refused.
constexpr size_t kClientsBeyondLimit = 100;

SqlError ShutdownError() {
  return {.sqlstate = std::string(sqlstate::kAdminShutdown),
          .message = "terminating connection due to administrator command",
          .detail = {},
          .hint = {}};
}

std::string HexOf(const std::string& bytes) {
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

size_t WorkerCount(const Config& config) {
  if (config.workers > 0) return std::min<size_t>(static_cast<size_t>(config.workers), kMaxWorkers);
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMaxWorkers);
}

void RaiseOpenFiles() {
  struct rlimit limit {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Threads made from now on get stacks that a deeply nested statement cannot overflow.
void SetThreadStack() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kWorkerStackBytes);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
}

absl::StatusOr<std::shared_ptr<const PasswordFile>> LoadPasswords(const Config& config) {
  if (config.server.password_file.empty()) return std::make_shared<const PasswordFile>();
  auto file = PasswordFile::Load(config.server.password_file);
  if (!file.ok()) return file.status();
  return std::make_shared<const PasswordFile>(std::move(*file));
}

}  // namespace

Proxy::Proxy(std::string config_path, Config config)
    : config_path_(std::move(config_path)),
      config_(std::make_shared<const Config>(std::move(config))),
      instance_(HexOf(RandomBytes(8))),
      mock_secret_(RandomBytes(32)),
      budgets_(static_cast<size_t>(config_->pool_size)),
      transactions_([this] { return Workers(); }, [this] { return control_->snapshot(); }) {}

Proxy::~Proxy() = default;

std::shared_ptr<const Config> Proxy::config() const {
  const std::lock_guard lock(mu_);
  return config_;
}

std::shared_ptr<const PasswordFile> Proxy::passwords() const {
  const std::lock_guard lock(mu_);
  return passwords_;
}

// ---------------------------------------------------------------------------------------------
// Start and end

absl::Status Proxy::Run() {
  signal(SIGPIPE, SIG_IGN);
  RaiseOpenFiles();
  const std::shared_ptr<const Config> config = this->config();
  auto passwords = LoadPasswords(*config);
  if (!passwords.ok()) return passwords.status();
  passwords_ = *passwords;

  registry_.process().start_time_seconds.Set(time(nullptr));
  uv_loop_init(&loop_);
  if (auto status = OpenListeners(); !status.ok()) return status;
  if (!config->metrics.listen.empty()) {
    auto exporter = MetricsExporter::Start(registry_, MERIDIAN_VERSION, config->metrics.listen);
    if (!exporter.ok()) return exporter.status();
    exporter_ = std::move(*exporter);
  }
  SetFaultPoints(config->debug.fault_points);
  ControlSettings settings = ControlSettingsOf(*config);
  settings.proxy = instance_;
  control_ = std::make_unique<ControlPlane>(std::move(settings), *this, transactions_, registry_);
  if (auto status = control_->Start(); !status.ok()) return status;

  SetThreadStack();
  for (size_t i = 0; i < WorkerCount(*config); ++i) {
    workers_.push_back(std::make_unique<Worker>(*this, i, registry_.AddWorker()));
  }
  workers_ready_ = true;
  // A snapshot that came in between is not lost.
  OnSnapshot(control_->snapshot());
  for (const auto& listener : listeners_) {
    if (auto status = listener->Start(); !status.ok()) return status;
  }
  for (const auto& worker : workers_) worker->Start();

  const int handled[] = {SIGHUP, SIGTERM, SIGINT, SIGQUIT};
  for (size_t i = 0; i < 4; ++i) {
    uv_signal_init(&loop_, &signals_[i]);
    signals_[i].data = this;
    uv_signal_start(
        &signals_[i],
        [](uv_signal_t* handle, int number) {
          static_cast<Proxy*>(handle->data)->OnSignal(number);
        },
        handled[i]);
  }
  uv_timer_init(&loop_, &drain_timer_);
  drain_timer_.data = shutdown_.data = this;
  uv_async_init(&loop_, &shutdown_,
                [](uv_async_t* handle) { static_cast<Proxy*>(handle->data)->OnSignal(SIGTERM); });
  LogInfo("ready", {{"version", MERIDIAN_VERSION},
                    {"port", config->listen_port},
                    {"workers", workers_.size()},
                    {"epoch", control_->snapshot()->map->epoch().value}});
  uv_run(&loop_, UV_RUN_DEFAULT);

  control_->Stop();
  for (const auto& worker : workers_) worker->Stop(ShutdownError());
  for (const auto& worker : workers_) worker->Join();
  LogInfo("stopped");
  return absl::OkStatus();
}

std::vector<Worker*> Proxy::Workers() const {
  std::vector<Worker*> workers;
  if (!workers_ready_) return workers;
  for (const auto& worker : workers_) workers.push_back(worker.get());
  return workers;
}

absl::Status Proxy::OpenListeners() {
  const std::shared_ptr<const Config> config = this->config();
  const Listener::Accept accept = [this](int fd, bool is_unix, bool out_of_files) {
    OnAccepted(fd, is_unix, out_of_files);
  };
  for (const std::string& host : config->listen_hosts) {
    auto opened = Listener::OpenTcp(&loop_, host, config->listen_port, accept);
    if (!opened.ok()) return opened.status();
    for (auto& listener : *opened) listeners_.push_back(std::move(listener));
  }
  if (!config->unix_socket_dir.empty()) {
    auto opened = Listener::OpenUnix(&loop_, config->unix_socket_dir, config->listen_port, accept);
    if (!opened.ok()) return opened.status();
    listeners_.push_back(std::move(*opened));
  }
  return absl::OkStatus();
}

void Proxy::OnAccepted(int fd, bool is_unix, bool out_of_files) {
  const auto limit = static_cast<size_t>(config()->max_client_connections);
  const size_t before = clients_.fetch_add(1, std::memory_order_relaxed);
  if (before >= limit + kClientsBeyondLimit || out_of_files) {
    clients_.fetch_sub(1, std::memory_order_relaxed);
    CountRefusedClient();
    // The answer to a start-up packet that was not read; a client takes it at any point of the
    // login.
    std::string error;
    wire::AppendError(error, wire::Severity::kFatal,
                      ToSqlError(TooManyClients(
                          out_of_files ? "Meridian has reached its limit of open files."
                                       : "The limit is the setting max_client_connections.")));
    (void)!write(fd, error.data(), error.size());
    close(fd);
    return;
  }
  const auto least =
      std::min_element(workers_.begin(), workers_.end(),
                       [](const auto& a, const auto& b) { return a->load() < b->load(); });
  (*least)->AddClient(fd, is_unix, before >= limit);
}

void Proxy::CountRefusedClient() {
  const std::lock_guard lock(mu_);
  registry_.process().clients_refused.Add();
}

void Proxy::OnSignal(int number) {
  switch (number) {
    case SIGHUP:
      if (auto status = Reload(); !status.ok()) {
        LogError("the configuration was not reloaded", {{"error", std::string(status.message())}});
      }
      return;
    case SIGINT:
      if (++interrupts_ < 2) break;
      [[fallthrough]];
    case SIGQUIT:
      StopNow();
      return;
    default:
      break;
  }
  if (draining_) return;
  draining_ = true;
  for (const auto& listener : listeners_) listener->Close();
  LogInfo("draining", {{"clients", clients_.load()}});
  for (const auto& worker : workers_) {
    worker->Post([raw = worker.get()] { raw->Drain(ShutdownError()); });
  }
  drain_deadline_ms_ = uv_now(&loop_) + static_cast<uint64_t>(config()->drain_timeout.count());
  uv_timer_start(
      &drain_timer_, [](uv_timer_t* handle) { static_cast<Proxy*>(handle->data)->OnDrainTick(); },
      kDrainTickMs, kDrainTickMs);
}

void Proxy::OnDrainTick() {
  if (clients_.load(std::memory_order_relaxed) == 0 || uv_now(&loop_) >= drain_deadline_ms_) {
    StopNow();
  }
}

void Proxy::StopNow() {
  if (stopped_) return;
  stopped_ = true;
  for (const auto& listener : listeners_) listener->Close();
  uv_stop(&loop_);
}

absl::Status Proxy::Reload() {
  auto loaded = LoadConfig(config_path_);
  if (!loaded.ok()) return loaded.status();
  ConfigReload reload = Diff(*config(), *loaded);
  auto passwords = LoadPasswords(reload.config);
  if (!passwords.ok()) return passwords.status();
  const std::string log_error = StartLogging({.level = reload.config.log.level,
                                              .format = reload.config.log.format,
                                              .file = reload.config.log.file});
  if (!log_error.empty()) return absl::InvalidArgumentError(log_error);
  {
    const std::lock_guard lock(mu_);
    config_ = std::make_shared<const Config>(reload.config);
    passwords_ = *passwords;
  }
  SetFaultPoints(reload.config.debug.fault_points);
  budgets_.SetLimit(static_cast<size_t>(reload.config.pool_size));
  control_->Reload(ControlSettingsOf(reload.config));
  for (const auto& worker : workers_) {
    worker->Post([raw = worker.get()] { raw->OnConfigChanged(); });
  }
  registry_.process().config_reloads.Add();
  std::string waiting;
  for (const std::string& name : reload.needs_restart)
    waiting += (waiting.empty() ? "" : ", ") + name;
  LogInfo("configuration reloaded", {{"needs_restart", waiting}});
  return absl::OkStatus();
}

// ---------------------------------------------------------------------------------------------
// Between threads

void Proxy::OnSnapshot(std::shared_ptr<const Snapshot> snapshot) {
  if (!workers_ready_) return;
  for (const auto& worker : workers_) {
    worker->Post([raw = worker.get(), snapshot] { raw->OnSnapshot(snapshot); });
  }
}

void Proxy::OnSample() {
  if (!workers_ready_) return;
  for (const auto& worker : workers_) worker->OnSample();
}

void Proxy::Cancel(uint32_t pid, const std::string& secret) {
  const auto missing = std::make_shared<std::atomic<size_t>>(workers_.size());
  for (const auto& worker : workers_) {
    worker->Post([raw = worker.get(), pid, secret, missing] {
      if (!raw->Cancel(pid, secret) && missing->fetch_sub(1) == 1) {
        raw->metrics().cancels[CancelOutcome::kUnknown].Add();
      }
    });
  }
}

void Proxy::RefreshRoles() {
  control_->RequestRoleRefresh([](absl::Status) {});
}

}  // namespace meridian
