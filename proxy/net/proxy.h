// The process: configuration, control plane, workers, sockets to listen on, signals. One per
// process; its Run is the main thread.
#pragma once

#include <uv.h>

#include <absl/status/status.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "metrics/exporter.h"
#include "metrics/registry.h"
#include "proxy/config/config.h"
#include "proxy/config/password_file.h"
#include "proxy/control/control_plane.h"
#include "proxy/net/listener.h"
#include "proxy/net/worker.h"
#include "proxy/net/worker_transactions.h"
#include "proxy/pool/pool_budget.h"

namespace meridian {

class Proxy final : public SnapshotListener {
 public:
  Proxy(std::string config_path, Config config);
  ~Proxy() override;

  // Serves until it is told to stop. An error: why it could not start.
  absl::Status Run();

  // Any thread.
  std::shared_ptr<const Config> config() const;
  std::shared_ptr<const PasswordFile> passwords() const;
  ControlPlane& control() { return *control_; }
  PoolBudgets& budgets() { return budgets_; }
  const std::string& instance() const { return instance_; }
  const std::string& mock_secret() const { return mock_secret_; }
  void CountRefusedClient();
  void OnClientGone() { clients_.fetch_sub(1, std::memory_order_relaxed); }
  void Cancel(uint32_t pid, const std::string& secret);
  void RefreshRoles();
  absl::Status Reload();
  void OnSnapshot(std::shared_ptr<const Snapshot> snapshot) override;
  void OnSample() override;

  // The admin commands that are neither the map's nor the catalog's. On the session's worker.
  void ExecuteAdmin(Worker& worker, AdminSession& session, const AdminStatement& statement);

 private:
  using Reply = std::function<void(CommandReply)>;
  void ShowProcess(const Show& show, const Reply& reply);
  void KillAnywhere(uint64_t id, const std::string& tag, const Reply& reply);
  absl::StatusOr<AdminResult> SetPaused(const std::optional<std::string>& shard, bool paused,
                                        const std::string& tag);
  // None before all are made. Any thread.
  std::vector<Worker*> Workers() const;
  void OnAccepted(int fd, bool is_unix, bool out_of_files);
  void OnSignal(int signal);
  void OnDrainTick();
  void StopNow();
  absl::Status OpenListeners();

  const std::string config_path_;
  mutable std::mutex mu_;
  std::shared_ptr<const Config> config_;           // guarded by mu_
  std::shared_ptr<const PasswordFile> passwords_;  // guarded by mu_
  const std::string instance_;
  const std::string mock_secret_;
  MetricsRegistry registry_;
  PoolBudgets budgets_;
  WorkerTransactions transactions_;
  std::unique_ptr<ControlPlane> control_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<bool> workers_ready_{false};
  std::atomic<size_t> clients_{0};
  std::unique_ptr<MetricsExporter> exporter_;

  uv_loop_t loop_{};
  uv_signal_t signals_[4]{};
  uv_timer_t drain_timer_{};
  uv_async_t shutdown_{};
  std::vector<std::unique_ptr<Listener>> listeners_;
  int interrupts_ = 0;
  bool draining_ = false;
  bool stopped_ = false;
  uint64_t drain_deadline_ms_ = 0;
};

}  // namespace meridian
