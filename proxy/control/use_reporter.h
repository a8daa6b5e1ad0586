// Tells the catalog what this proxy's clients do with which key range (tables range_load and
// shard_latency), on the connection of the map's lease. Blocking; one thread.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <string>

#include "proxy/control/open_transactions.h"
#include "proxy/control/use_meter.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

class UseReporter {
 public:
  // Latencies are told each second, loads more rarely.
  static constexpr std::chrono::milliseconds kInterval{1'000};
  static constexpr int kLoadEvery = 5;

  // `transactions` outlives this object. The proxy has its row in the table `proxies`.
  UseReporter(OpenTransactions& transactions, std::string proxy)
      : transactions_(transactions), proxy_(std::move(proxy)) {}

  // Does nothing until it is time. An error is of no consequence but that nothing was told.
  absl::Status Tell(PgConnection& catalog);

 private:
  absl::Status TellLatencies(PgConnection& catalog) const;
  absl::Status TellLoads(PgConnection& catalog) const;

  OpenTransactions& transactions_;
  const std::string proxy_;
  UseMeter meter_;
  std::chrono::steady_clock::time_point told_at_ = std::chrono::steady_clock::now();
  int told_ = 0;
};

}  // namespace meridian
