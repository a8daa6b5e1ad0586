// Tells when the catalog's epoch has changed: LISTEN, with a poll as safety net.
//
// Losing the catalog is an event like others, never an end: the watcher tries again with back-off
// for as long as it is asked to wait.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <optional>
#include <stop_token>

#include "sharding/catalog/store.h"

namespace meridian {

struct CatalogEvent {
  enum class Kind {
    kNothing,   // the timeout passed, or `stop` was requested
    kChanged,   // the epoch is `epoch`; the first event of a reachable catalog is of this kind
    kLost,      // the catalog cannot be reached; `error` says why. Told once per loss
    kRestored,  // it is back, the epoch is as before
  };
  Kind kind = Kind::kNothing;
  Epoch epoch;
  absl::Status error;
};

struct WatcherOptions {
  CatalogOptions catalog;
  // How late a change may be seen where no notification arrives.
  std::chrono::milliseconds poll_interval{2000};
  std::chrono::milliseconds backoff_min{100};
  std::chrono::milliseconds backoff_max{5000};
};

// One thread at a time.
class CatalogWatcher {
 public:
  explicit CatalogWatcher(WatcherOptions options);

  // Blocks until there is something to tell, at most `timeout`.
  CatalogEvent WaitForChange(std::chrono::milliseconds timeout, const std::stop_token& stop);

  bool connected() const { return connection_.has_value(); }

 private:
  using Clock = std::chrono::steady_clock;

  // The event that a successful look at the catalog makes, if any.
  std::optional<CatalogEvent> Look();
  std::optional<CatalogEvent> Connect();
  std::optional<CatalogEvent> Lose(const absl::Status& error);

  WatcherOptions options_;
  std::optional<PgConnection> connection_;
  std::optional<Epoch> told_;
  bool told_lost_ = false;
  std::chrono::milliseconds backoff_;
  Clock::time_point next_attempt_;
  Clock::time_point next_poll_;
};

}  // namespace meridian
