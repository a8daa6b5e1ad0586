#include "sharding/catalog/watcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "sharding/catalog/migrate.h"

namespace meridian {
namespace {

// Sleeps, but not beyond a request to stop.
void SleepUntil(std::chrono::steady_clock::time_point end, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_until(lock, stop, end, [] { return false; });
}

}  // namespace

CatalogWatcher::CatalogWatcher(WatcherOptions options)
    : options_(std::move(options)), backoff_(options_.backoff_min) {}

std::optional<CatalogEvent> CatalogWatcher::Lose(const absl::Status& error) {
  connection_.reset();
  next_attempt_ = Clock::now() + backoff_;
  backoff_ = std::min(backoff_ * 2, options_.backoff_max);
  if (told_lost_) return std::nullopt;
  told_lost_ = true;
  return CatalogEvent{CatalogEvent::Kind::kLost, told_.value_or(Epoch{}), error};
}

// LISTEN comes before the first look: a change between the two is then told by either.
std::optional<CatalogEvent> CatalogWatcher::Connect() {
  auto connection = PgConnection::Connect(options_.catalog.target);
  if (!connection.ok()) return Lose(connection.status());
  connection_.emplace(*std::move(connection));
  absl::Status ready = PrepareCatalogSession(*connection_, options_.catalog.schema);
  if (ready.ok()) ready = connection_->Script(fmt::format("LISTEN {}", kEpochChannel)).status();
  if (!ready.ok()) return Lose(ready);
  return Look();
}

std::optional<CatalogEvent> CatalogWatcher::Look() {
  auto epoch = connection_->Query("SELECT epoch FROM epoch");
  if (!epoch.ok()) return Lose(epoch.status());
  const Epoch now{epoch->rows() == 1 ? epoch->Number(0, 0) : 0};
  next_poll_ = Clock::now() + options_.poll_interval;
  backoff_ = options_.backoff_min;
  const bool restored = std::exchange(told_lost_, false);
  if (told_ != now) {
    told_ = now;
    return CatalogEvent{CatalogEvent::Kind::kChanged, now, {}};
  }
  if (restored) return CatalogEvent{CatalogEvent::Kind::kRestored, now, {}};
  return std::nullopt;
}

CatalogEvent CatalogWatcher::WaitForChange(std::chrono::milliseconds timeout,
                                           const std::stop_token& stop) {
  const auto end = Clock::now() + timeout;
  while (!stop.stop_requested()) {
    std::optional<CatalogEvent> event;
    if (!connection_) {
      if (Clock::now() < next_attempt_) SleepUntil(std::min(end, next_attempt_), stop);
      if (Clock::now() >= next_attempt_ && !stop.stop_requested()) event = Connect();
    } else {
      const auto wait = std::min(end, next_poll_) - Clock::now();
      auto told = connection_->WaitForNotification(
          std::max(std::chrono::ceil<std::chrono::milliseconds>(wait),
                   std::chrono::milliseconds(0)),
          stop);
      if (!told.ok()) {
        event = Lose(told.status());
      } else if (told->has_value() || Clock::now() >= next_poll_) {
        event = Look();
      }
    }
    if (event) return *std::move(event);
    if (Clock::now() >= end) break;
  }
  return {CatalogEvent::Kind::kNothing, told_.value_or(Epoch{}), {}};
}

}  // namespace meridian
