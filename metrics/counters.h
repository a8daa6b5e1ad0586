// What is counted. One WorkerMetrics per worker, written by its thread only (see histogram.h) and
// summed at scrape by metrics/exporter.h, whose table gives each member its name in Prometheus.
// docs/metrics.md describes them all.
//
// Durations are in microseconds, sizes in bytes. A gauge is the sum over the workers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "metrics/histogram.h"
#include "metrics/labels.h"

namespace meridian {

// Where a shard's counters live. A shard's index changes with the epoch, its name does not: slots
// are given by name, for the life of the process (metrics/registry.h). Names beyond kShardSlots
// share the last slot.
inline constexpr size_t kShardSlots = 256;
inline constexpr size_t kOtherShardsSlot = kShardSlots;
using ShardSlot = uint16_t;  // 0 .. kOtherShardsSlot

// An array of `T` indexed by an enum class of labels.
template <typename T, typename Label, size_t kSize>
struct PerLabel {
  std::array<T, kSize> cells;
  T& operator[](Label label) { return cells[static_cast<size_t>(label)]; }
  const T& operator[](Label label) const { return cells[static_cast<size_t>(label)]; }
};

// A pool or a server connection may keep a reference to the ShardMetrics it began with: its address
// never changes, and so what it added to a gauge it takes from the same one.
struct ShardMetrics {
  // Statements that this shard executed (one statement counts on each shard that it went to).
  PerLabel<Counter, Outcome, kOutcomeNames.size()> statements;
  Counter bytes_received;  // from its nodes
  Counter bytes_sent;      // to its nodes
  Gauge servers_active;    // server connections that serve a session
  Gauge servers_idle;      // logged in and waiting in a pool
  Gauge servers_login;     // being opened
  Counter servers_opened;  // logged in
  Counter servers_closed;  // for whatever reason, after login
  Counter server_login_failures;
  Gauge waiting;          // sessions that wait for a server connection
  Counter waits;          // that began
  Counter wait_timeouts;  // that ended by queue_timeout
  Counter wait_us;        // time spent in finished waits
};

struct alignas(64) WorkerMetrics {
  // Clients.
  Gauge clients_connected;  // all below included, also those not yet logged in
  Gauge clients_active;     // with a server connection, or being answered
  Gauge clients_waiting;    // for a server connection
  Counter clients_accepted;
  Counter logins_ok;
  Counter logins_failed;
  Counter bytes_received;  // from clients
  Counter bytes_sent;      // to clients

  // Statements and transactions.
  std::array<PerLabel<Counter, Outcome, kOutcomeNames.size()>, kQueryKindNames.size()> queries;
  // From the arrival of the statement to its last byte handed to the client's socket.
  PerLabel<Histogram, QueryKind, kQueryKindNames.size()> latency;
  PerLabel<Counter, RouteKind, kRouteKindNames.size()> routes;
  PerLabel<Counter, ReadPlace, kReadPlaceNames.size()> reads;  // that a replica could answer
  Counter transactions;         // ended; a statement outside of BEGIN counts as one
  Counter transaction_time_us;  // of these
  Counter plan_cache_hits;
  Counter plan_cache_misses;
  Gauge plan_cache_entries;
  Counter slow_statements;  // longer than log.slow_statement

  // Waiting for a server connection; only waits that were needed are recorded.
  Histogram wait_time;
  // Waiting for a key range that was held while it changed owner.
  Histogram held_time;

  // Sessions.
  PerLabel<Counter, PinKind, kPinKindNames.size()> pins;           // sessions that became pinned
  PerLabel<Gauge, PinKind, kPinKindNames.size()> pinned_sessions;  // now
  PerLabel<Counter, CancelOutcome, kCancelOutcomeNames.size()> cancels;
  Counter errors_synthesised;   // error responses made by the proxy, not by a node
  Counter protocol_violations;  // clients closed for what they sent
  Counter prepared_injected;    // Parse sent to a server connection that lacked the statement
  Counter prepared_evicted;     // Close sent because the connection held too many
  Counter settings_replays;     // settings restored on a server connection before a statement

  // The epoch of the shard map that this worker uses; exported is the smallest.
  Gauge epoch;

  std::array<ShardMetrics, kShardSlots + 1> shards;

  void CountQuery(QueryKind kind, Outcome outcome, uint64_t latency_us) {
    queries[static_cast<size_t>(kind)][outcome].Add();
    latency[kind].Record(latency_us);
  }
  ShardMetrics& Shard(ShardSlot slot) {
    return shards[slot < kShardSlots ? slot : kOtherShardsSlot];
  }
};

// What concerns the process; each member is written by one thread (the main one or a control
// thread), or under a lock.
struct alignas(64) ProcessMetrics {
  Gauge catalog_epoch;           // of the newest shard map read from the catalog
  Gauge schema_version;          // of the newest schema read from the shards
  Gauge shards;                  // in the newest shard map
  Gauge catalog_connected;       // 1 or 0
  Counter catalog_errors;        // failed reads of the catalog
  Counter config_reloads;        // that took effect
  Counter recovered_commits;     // prepared transactions that the recovery has finished so
  Counter recovered_rollbacks;   // ... or so
  Counter deadlocks;             // over several shards, that cost a client its transaction
  Gauge transactions_in_doubt;   // prepared, and the recovery cannot finish them yet
  Counter failovers;             // another node has become a shard's primary
  Gauge shards_without_primary;  // that can be used
  Counter without_primary_us;    // of all shards together, times that have ended
  Gauge moves_open;              // of key ranges, asked for and not ended; where they are done
  Counter moves_done;            // the range has another owner, and nothing is left behind
  Counter moves_undone;          // cancelled, or failed
  Counter move_rows;             // copied
  Counter move_bytes;            // theirs
  Counter move_changes;          // rows changed at the target by following the source
  Gauge move_lag_bytes;          // of the source's log that the target has not applied
  Gauge move_lag_us;             // how long a change takes to be applied, of all moves together
  Gauge move_log_kept_bytes;     // of sources' logs, for moves
  Gauge moves_throttled;         // whose copy is slowed down
  Counter cutovers;              // begun
  Counter cutovers_undone;       // that did not come to their end in time
  Counter cutover_us;            // how long ranges were held by those that did
  Gauge start_time_seconds;      // of the process, since 1970
  Counter clients_refused;       // by max_client_connections, or for want of open files
};

}  // namespace meridian
