#include "rebalance/mover.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "metrics/log.h"
#include "rebalance/balance_commands.h"
#include "rebalance/move_phase.h"
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
  EndRuns();
  lease_.Release();
}

namespace {

// A move that is to begin waits for those that work on its shards, or wait for them.
bool Occupies(const MoveRecord& move) {
  return move.wish != MoveWish::kPause && move.phase != move_phase::kReversible;
}

// Whether there is nothing to do for it.
bool Rests(const MoveRecord& move) {
  return move.wish == MoveWish::kPause &&
         (move.phase == move_phase::kQueued || move.phase == move_phase::kAnnounced ||
          move.phase == move_phase::kCopying || move.phase == move_phase::kFollowing);
}

}  // namespace

absl::Status Mover::Round(CatalogStore& store) {
  std::vector<MoveRecord> moves;
  absl::Status read = store.Use([&](PgConnection& catalog) -> absl::Status {
    auto open = OpenMoves(catalog);
    if (open.ok()) moves = *std::move(open);
    return open.status();
  });
  if (!read.ok()) return read;
  Reap();
  options_.metrics->moves_open.Set(0);
  if (moves.empty() && running_.empty()) {
    retry_.clear();
    lease_.Release();
    return LookAtBalance(store, options_.shards, options_.proxy, options_.balance_interval);
  }
  if (lease_.lost().stop_requested()) EndRuns();
  const auto mine = lease_.Acquire();
  if (!mine.ok()) return mine.status();
  if (!*mine) return absl::OkStatus();
  options_.metrics->moves_open.Set(static_cast<int64_t>(moves.size()));
  std::set<std::string> occupied;
  for (const MoveRecord& move : moves) {
    const std::string &source = move.request.source, &target = move.request.target;
    const bool waits = move.phase == move_phase::kQueued && move.wish != MoveWish::kCancel &&
                       (occupied.contains(source) || occupied.contains(target));
    if (Occupies(move)) occupied.insert({source, target});
    if (!waits && !Rests(move) && !running_.contains(move.id)) Begin(move);
  }
  return absl::OkStatus();
}

void Mover::Begin(const MoveRecord& move) {
  const auto retry = retry_.find(move.id);
  // Clients wait for a range that is held.
  const bool held = move.phase == move_phase::kSwitching || move.phase == move_phase::kUndoing;
  if (!held && retry != retry_.end() && Clock::now() < retry->second.at) return;
  Running& running = *running_.emplace(move.id, std::make_unique<Running>()).first->second;
  running.thread = std::jthread(
      [this, &running, move, term = lease_.term(), tag = lease_.tag(), lost = lease_.lost()] {
        // What the move waits for ends when the lease is lost, and when this proxy ends.
        const std::stop_callback on_lost(lost, [&] { running.stop.request_stop(); });
        const std::stop_callback on_stop(stop_.get_token(), [&] { running.stop.request_stop(); });
        CatalogOptions catalog = options_.catalog;
        catalog.target.stop = running.stop.get_token();
        CatalogStore store(catalog);
        running.result =
            MoveRun(options_, store, move, {term, tag, cutover_, running.stop.get_token()}).Run();
        running.ended = true;
        LookNow();
      });
}

void Mover::Reap() {
  for (auto at = running_.begin(); at != running_.end();) {
    Running& running = *at->second;
    if (!running.ended) {
      ++at;
      continue;
    }
    running.thread.join();
    if (running.result.ok()) {
      retry_.erase(at->first);
    } else {
      Retry& retry = retry_[at->first];
      const std::string error = ToSqlError(running.result).message;
      if (error != retry.error) {
        LogWarning("a move does not go on yet", {{"move", at->first}, {"error", error}});
      }
      retry.error = error;
      retry.backoff = std::clamp(retry.backoff * 2, kBackoffMin, kBackoffMax);
      retry.at = Clock::now() + retry.backoff;
    }
    at = running_.erase(at);
  }
}

void Mover::EndRuns() {
  for (const auto& [id, running] : running_) running->stop.request_stop();
  for (const auto& [id, running] : running_) running->thread.join();
  running_.clear();
}

}  // namespace meridian
