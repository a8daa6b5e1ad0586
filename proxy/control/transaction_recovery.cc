#include "proxy/control/transaction_recovery.h"

#include <utility>

#include "metrics/log.h"
#include "proxy/control/shard_recovery.h"
#include "sharding/sql_status.h"

namespace meridian {

TransactionRecovery::TransactionRecovery(ShardAccess access, std::string proxy,
                                         std::chrono::milliseconds interval,
                                         CurrentSnapshot current, ProcessMetrics& metrics)
    : access_(std::move(access)),
      proxy_(std::move(proxy)),
      current_(std::move(current)),
      metrics_(metrics),
      interval_(interval) {}

TransactionRecovery::~TransactionRecovery() { Stop(); }

void TransactionRecovery::Watch(const ShardMap& map) {
  board_.Keep(map);
  const std::lock_guard lock(mu_);
  if (stopped_) return;
  StringMap<std::jthread> kept;
  for (const Shard& shard : map.shards()) {
    if (auto found = threads_.extract(shard.name)) {
      kept.insert(std::move(found));
    } else {
      kept.emplace(shard.name, std::jthread([this, name = shard.name](const std::stop_token& stop) {
                     Run(stop, name);
                   }));
    }
  }
  for (auto& [name, thread] : threads_) {
    thread.request_stop();
    leaving_.push_back(std::move(thread));
  }
  threads_ = std::move(kept);
}

void TransactionRecovery::LookNow() {
  const std::lock_guard lock(mu_);
  ++looks_wanted_;
  wake_.notify_all();
}

void TransactionRecovery::SetInterval(std::chrono::milliseconds interval) {
  const std::lock_guard lock(mu_);
  interval_ = interval;
  ++looks_wanted_;
  wake_.notify_all();
}

void TransactionRecovery::Stop() {
  StringMap<std::jthread> ending;
  std::vector<std::jthread> leaving;
  {
    const std::lock_guard lock(mu_);
    stopped_ = true;
    ending = std::move(threads_);
    leaving = std::move(leaving_);
    threads_.clear();
    leaving_.clear();
  }
  for (auto& [name, thread] : ending) thread.request_stop();
}

void TransactionRecovery::Note(const std::string& shard, const absl::Status& status,
                               LastError& last) {
  if (status.ok()) {
    if (last.times > 1) LogInfo("prepared transactions can be recovered again", {{"shard", shard}});
    last = {};
    return;
  }
  const std::string error = ToSqlError(status).message;
  board_.SetError(shard, error);
  if (last.text != error) last = {error};
  if (++last.times == 2) {
    LogWarning("cannot recover prepared transactions", {{"shard", shard}, {"error", error}});
  }
}

void TransactionRecovery::Run(const std::stop_token& stop, const std::string& shard) {
  ShardAccess access = access_;
  access.login.stop = stop;
  ShardRecovery recovery(std::move(access), shard, proxy_, in_flight_, board_);
  LastError last_error;
  uint64_t seen = 0;
  while (!stop.stop_requested()) {
    const auto finished = recovery.Round(*current_());
    if (stop.stop_requested()) return;
    Note(shard, finished.status(), last_error);
    size_t in_doubt = 0;
    for (const PreparedTransaction& prepared : board_.All()) in_doubt += prepared.in_doubt ? 1 : 0;
    std::unique_lock lock(mu_);
    metrics_.transactions_in_doubt.Set(static_cast<int64_t>(in_doubt));
    if (finished.ok()) {
      metrics_.recovered_commits.Add(finished->committed);
      metrics_.recovered_rollbacks.Add(finished->rolled_back);
    }
    wake_.wait_for(lock, stop, interval_, [&] { return looks_wanted_ != seen; });
    seen = looks_wanted_;
  }
}

}  // namespace meridian
