#include "rebalance/mover.h"

#include <algorithm>
#include <utility>

#include "metrics/log.h"
#include "rebalance/balance_commands.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kInterval{500};
constexpr milliseconds kBackoffMin{250};
constexpr milliseconds kBackoffMax{15'000};

}  // namespace

Mover::Mover(MoverOptions options)
    : options_(std::move(options)), lease_(options_.catalog, options_.proxy, options_.lease) {}

Mover::~Mover() { Stop(); }

void Mover::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void Mover::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  stop_.request_stop();
  thread_.join();
}

void Mover::LookNow() {
  const std::lock_guard lock(mu_);
  ++looks_wanted_;
  wake_.notify_all();
}

void Mover::Run(const std::stop_token& stop) {
  CatalogOptions catalog = options_.catalog;
  catalog.target.stop = stop;
  CatalogStore store(catalog);
  std::string last_error;
  uint64_t seen = 0;
  while (!stop.stop_requested()) {
    const absl::Status round = Round(store);
    if (stop.stop_requested()) break;
    const std::string error = round.ok() ? "" : ToSqlError(round).message;
    if (error != last_error && !error.empty()) {
      LogWarning("the catalog cannot be asked for moves", {{"error", error}});
    }
    last_error = error;
    std::unique_lock lock(mu_);
    wake_.wait_for(lock, stop, kInterval, [&] { return looks_wanted_ != seen; });
    seen = looks_wanted_;
  }
  lease_.Release();
}

absl::Status Mover::Round(CatalogStore& store) {
  std::vector<MoveRecord> moves;
  absl::Status read = store.Use([&](PgConnection& catalog) -> absl::Status {
    auto open = OpenMoves(catalog);
    if (open.ok()) moves = *std::move(open);
    return open.status();
  });
  if (!read.ok()) return read;
  options_.metrics->moves_open.Set(0);
  options_.metrics->move_lag_bytes.Set(0);
  if (moves.empty()) {
    retry_.clear();
    lease_.Release();
    return LookAtBalance(store, options_.shards, options_.proxy, options_.balance_interval);
  }
  const auto mine = lease_.Acquire();
  if (!mine.ok()) return mine.status();
  if (!*mine) return absl::OkStatus();
  options_.metrics->moves_open.Set(static_cast<int64_t>(moves.size()));
  for (const MoveRecord& move : moves) {
    if (lease_.lost().stop_requested() || stop_.stop_requested()) break;
    RunMove(store, move);
  }
  return absl::OkStatus();
}

void Mover::RunMove(CatalogStore& store, const MoveRecord& move) {
  Retry& retry = retry_[move.id];
  if (Clock::now() < retry.at) return;
  // What the move waits for ends when the lease is lost, and when this proxy ends.
  std::stop_source stop;
  const std::stop_callback on_lost(lease_.lost(), [&] { stop.request_stop(); });
  const std::stop_callback on_stop(stop_.get_token(), [&] { stop.request_stop(); });
  const absl::Status done =
      MoveRun(options_, store, move, lease_.term(), lease_.tag(), stop.get_token()).Run();
  if (done.ok()) {
    retry = {};
    return;
  }
  const std::string error = ToSqlError(done).message;
  if (error != retry.error) {
    LogWarning("a move does not go on yet", {{"move", move.id}, {"error", error}});
  }
  retry.error = error;
  retry.backoff = std::clamp(retry.backoff * 2, kBackoffMin, kBackoffMax);
  retry.at = Clock::now() + retry.backoff;
}

}  // namespace meridian
