#include "proxy/control/catalog_follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <utility>

#include "metrics/log.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetryMin{100};
constexpr milliseconds kRetryMax{2'000};

void Sleep(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace

CatalogFollower::CatalogFollower(FollowerOptions options, Events events, ProcessMetrics& metrics)
    : options_(std::move(options)), events_(std::move(events)), metrics_(metrics) {}

CatalogFollower::~CatalogFollower() { Stop(); }

void CatalogFollower::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void CatalogFollower::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void CatalogFollower::SetPollInterval(milliseconds interval) {
  const std::lock_guard lock(mu_);
  options_.poll_interval = interval;
}

milliseconds CatalogFollower::poll_interval() const {
  const std::lock_guard lock(mu_);
  return options_.poll_interval;
}

std::string CatalogFollower::error() const {
  const std::lock_guard lock(mu_);
  return error_;
}

void CatalogFollower::Note(const absl::Status& status) {
  if (!status.ok()) metrics_.catalog_errors.Add();
  metrics_.catalog_connected.Set(status.ok() ? 1 : 0);
  const std::string error = status.ok() ? std::string() : ToSqlError(status).message;
  {
    const std::lock_guard lock(mu_);
    if (error_ == error) return;
    error_ = error;
  }
  if (status.ok()) {
    LogInfo("connected to the catalog", {{"catalog", options_.catalog.target.address.ToString()}});
  } else {
    LogError("the catalog cannot be used: changes of the shard map have to wait",
             {{"catalog", options_.catalog.target.address.ToString()}, {"error", error}});
  }
}

absl::Status CatalogFollower::Read(CatalogStore& store) {
  auto map = store.Load();
  if (!map.ok()) return map.status();
  events_.on_map(*std::move(map));
  return absl::OkStatus();
}

absl::Status CatalogFollower::MigrateAndRead(CatalogStore& store) {
  absl::Status migrated = options_.migrate ? store.Migrate() : absl::OkStatus();
  // A role that may only read can still follow a catalog that somebody else has migrated.
  if (!migrated.ok() && ToSqlError(migrated).sqlstate != sqlstate::kInsufficientPrivilege) {
    return migrated;
  }
  absl::Status read = Read(store);
  return read.ok() || migrated.ok() ? read : migrated;
}

absl::Status CatalogFollower::ReadFirst(CatalogStore& store, const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + options_.start_timeout;
  for (milliseconds retry = kRetryMin;; retry = std::min(retry * 2, kRetryMax)) {
    absl::Status read = MigrateAndRead(store);
    Note(read);
    if (read.ok()) return read;
    SqlError error = ToSqlError(read);
    error.message = fmt::format("cannot read the catalog at {}/{}: {}",
                                options_.catalog.target.address.ToString(),
                                options_.catalog.target.dbname, error.message);
    if (!IsConnectionLoss(read) || stop.stop_requested() ||
        std::chrono::steady_clock::now() + retry > deadline) {
      return ToStatus(error);
    }
    Sleep(retry, stop);
  }
}

void CatalogFollower::Run(const std::stop_token& stop) {
  options_.catalog.target.stop = stop;
  CatalogStore store(options_.catalog);
  absl::Status first = ReadFirst(store, stop);
  events_.on_start(first);
  if (first.ok()) Follow(store, stop);
}

void CatalogFollower::Follow(CatalogStore& store, const std::stop_token& stop) {
  const auto options = [this] {
    return WatcherOptions{.catalog = options_.catalog, .poll_interval = poll_interval()};
  };
  WatcherOptions used = options();
  CatalogWatcher watcher(used);
  bool unread = false;  // the catalog has changed since the last map was read
  while (!stop.stop_requested()) {
    if (used.poll_interval != poll_interval()) {
      used = options();
      watcher = CatalogWatcher(used);
    }
    const milliseconds wait = unread ? std::min(kRetryMax, used.poll_interval) : used.poll_interval;
    const CatalogEvent event = watcher.WaitForChange(wait, stop);
    if (stop.stop_requested()) return;
    if (event.kind == CatalogEvent::Kind::kLost) {
      Note(event.error);
      continue;
    }
    unread = unread || event.kind == CatalogEvent::Kind::kChanged;
    if (!watcher.connected()) continue;
    absl::Status status = unread ? Read(store) : absl::OkStatus();
    if (status.ok()) unread = false;
    Note(status);
  }
}

}  // namespace meridian
