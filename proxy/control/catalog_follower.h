// Reads the shard map from the catalog, and again whenever the catalog changes.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "metrics/counters.h"
#include "sharding/catalog/store.h"
#include "sharding/catalog/watcher.h"
#include "sharding/shard_map.h"

namespace meridian {

struct FollowerOptions {
  CatalogOptions catalog;
  bool migrate = true;  // bring the catalog's schema up to date first
  std::chrono::milliseconds start_timeout{30'000};
  std::chrono::milliseconds poll_interval{5'000};
};

// Thread-safe.
class CatalogFollower {
 public:
  // On the follower's thread: `on_map` for each map that was read (it may be one that is known),
  // `on_start` once, when the first was read or when that has failed for good.
  struct Events {
    std::function<void(std::shared_ptr<const ShardMap>)> on_map;
    std::function<void(absl::Status)> on_start;
  };

  // `metrics` outlives this object; of it catalog_connected and catalog_errors are written.
  CatalogFollower(FollowerOptions options, Events events, ProcessMetrics& metrics);
  ~CatalogFollower();  // Stop()
  CatalogFollower(const CatalogFollower&) = delete;
  CatalogFollower& operator=(const CatalogFollower&) = delete;

  void Start();
  void Stop();
  void SetPollInterval(std::chrono::milliseconds interval);

  // Why the catalog cannot be used; empty where it can.
  std::string error() const;
  bool connected() const { return error().empty(); }

 private:
  void Run(const std::stop_token& stop);
  // The first map, tried until start_timeout where the catalog does not answer.
  absl::Status ReadFirst(CatalogStore& store, const std::stop_token& stop);
  absl::Status MigrateAndRead(CatalogStore& store);
  absl::Status Read(CatalogStore& store);
  void Follow(CatalogStore& store, const std::stop_token& stop);
  // Says so where it is news.
  void Note(const absl::Status& status);
  std::chrono::milliseconds poll_interval() const;

  FollowerOptions options_;  // poll_interval: guarded by mu_
  const Events events_;
  ProcessMetrics& metrics_;
  mutable std::mutex mu_;
  std::string error_ = "not connected yet";  // guarded by mu_
  std::jthread thread_;
};

}  // namespace meridian
