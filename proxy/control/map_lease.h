// Tells the catalog which shard maps this proxy uses, so that whoever moves a key range knows when
// all proxies have followed a step; and knows until when the map that the proxy uses may be trusted
// in what it says of ranges on the move. On the way it tells what clients do with which range
// (use_reporter.h).
//
// The proxy has a row in the catalog's table `proxies`, with a lease. Whoever moves a range waits
// for the proxies whose lease runs; one whose lease has run out, as far as it can tell itself, does
// not begin to use such ranges. (Gray and Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism
// for Distributed File Cache Consistency")
#pragma once

#include <absl/status/status.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "proxy/control/open_transactions.h"
#include "proxy/control/use_reporter.h"
#include "sharding/catalog/pg_connection.h"
#include "sharding/catalog/store.h"

namespace meridian {

// Thread-safe.
class MapLease {
 public:
  static constexpr std::chrono::milliseconds kLease{5'000};
  // What clocks may differ in their speed, and a renewal may take on its way.
  static constexpr std::chrono::milliseconds kMargin{500};

  // For the catalog to answer.
  static constexpr std::chrono::milliseconds kTimeout{3'000};

  // `proxy`: its name. `transactions` outlives this object. On this object's thread: `current`
  // gives the map in use; `on_tried` is called when tried() may have become true.
  MapLease(CatalogOptions catalog, std::string proxy, OpenTransactions& transactions,
           std::function<Epoch()> current, std::function<void()> on_tried);
  ~MapLease();  // Stop()
  MapLease(const MapLease&) = delete;
  MapLease& operator=(const MapLease&) = delete;

  void Start();
  // Gives the lease back, which takes as long as the catalog does, up to kTimeout. Any number of
  // times.
  void Stop();
  // There is another map.
  void OnMap();

  // Monotonic, in microseconds; 0: there is none.
  uint64_t until_us() const { return until_us_.load(std::memory_order_relaxed); }
  // The first attempt to get a lease has ended, and what it found is in use.
  bool tried() const { return tried_; }

 private:
  void Run(const std::stop_token& stop);
  // One look at the workers, told to the catalog where it is news or the lease must be renewed.
  // Whether the next should come soon.
  absl::StatusOr<bool> Round();
  absl::StatusOr<PgConnection*> Connected();
  absl::Status Register();
  absl::Status Tell(const MapsInUse& maps);

  CatalogOptions catalog_;
  const std::string proxy_;
  OpenTransactions& transactions_;
  const std::function<Epoch()> current_;
  const std::function<void()> on_tried_;

  // Of the thread.
  UseReporter use_;
  std::optional<PgConnection> connection_;
  bool registered_ = false;
  Epoch needed_;  // the catalog's when it was registered: before this map is in use, no lease
  std::optional<MapsInUse> told_;
  std::chrono::steady_clock::time_point told_at_{};

  std::atomic<uint64_t> until_us_{0};
  std::atomic<bool> tried_{false};
  std::mutex mu_;
  std::condition_variable_any wake_;
  uint64_t maps_ = 0;  // guarded by mu_
  std::jthread thread_;
};

}  // namespace meridian
