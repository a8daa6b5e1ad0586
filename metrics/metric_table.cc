// Names follow https://prometheus.io/docs/practices/naming.
#include "metrics/metric_table.h"

namespace meridian {
namespace {

template <auto kMember, typename Owner>
constexpr Metric<Owner> CounterOf(std::string_view name, std::string_view help) {
  return {name, help, [](const Owner& o) { return static_cast<double>((o.*kMember).Get()); },
          false};
}
template <auto kMember, typename Owner>
constexpr Metric<Owner> SecondsOf(std::string_view name, std::string_view help) {
  return {name, help,
          [](const Owner& o) {
            return static_cast<double>((o.*kMember).Get()) * kSecondsPerMicrosecond;
          },
          false};
}
template <auto kMember, typename Owner>
constexpr Metric<Owner> GaugeOf(std::string_view name, std::string_view help) {
  return {name, help, [](const Owner& o) { return static_cast<double>((o.*kMember).Get()); }, true};
}

template <auto kMember, typename Owner>
constexpr Metric<Owner> SecondsGaugeOf(std::string_view name, std::string_view help) {
  Metric<Owner> metric = SecondsOf<kMember, Owner>(name, help);
  metric.gauge = true;
  return metric;
}

using W = WorkerMetrics;
constexpr Metric<W> kWorker[] = {
    GaugeOf<&W::clients_connected, W>("meridian_clients_connected",
                                      "Client connections, those not yet logged in included."),
    GaugeOf<&W::clients_active, W>("meridian_clients_active",
                                   "Clients that hold a server connection or are being answered."),
    GaugeOf<&W::clients_waiting, W>("meridian_clients_waiting",
                                    "Clients that wait for a server connection."),
    CounterOf<&W::clients_accepted, W>("meridian_clients_accepted_total",
                                       "Client connections accepted."),
    CounterOf<&W::bytes_received, W>("meridian_client_received_bytes_total",
                                     "Bytes received from clients."),
    CounterOf<&W::bytes_sent, W>("meridian_client_sent_bytes_total", "Bytes sent to clients."),
    CounterOf<&W::transactions, W>(
        "meridian_transactions_total",
        "Transactions ended; a statement outside of a transaction block is one."),
    SecondsOf<&W::transaction_time_us, W>("meridian_transaction_seconds_total",
                                          "Time spent in the transactions ended."),
    CounterOf<&W::plan_cache_hits, W>("meridian_plan_cache_hits_total",
                                      "Statements whose plan was found in the plan cache."),
    CounterOf<&W::plan_cache_misses, W>("meridian_plan_cache_misses_total",
                                        "Statements that had to be parsed and planned."),
    GaugeOf<&W::plan_cache_entries, W>("meridian_plan_cache_entries", "Plans in the plan caches."),
    CounterOf<&W::slow_statements, W>("meridian_slow_statements_total",
                                      "Statements that took longer than log.slow_statement."),
    CounterOf<&W::errors_synthesised, W>("meridian_errors_synthesised_total",
                                         "Error responses made by the proxy, not by a node."),
    CounterOf<&W::protocol_violations, W>("meridian_protocol_violations_total",
                                          "Clients closed because of what they sent."),
    CounterOf<&W::prepared_injected, W>(
        "meridian_prepared_statements_injected_total",
        "Statements prepared on a server connection that lacked them."),
    CounterOf<&W::prepared_evicted, W>(
        "meridian_prepared_statements_evicted_total",
        "Prepared statements closed on a server connection that held too many."),
    CounterOf<&W::settings_replays, W>(
        "meridian_settings_replays_total",
        "Times that a session's settings were restored on a server connection."),
};

using S = ShardMetrics;
constexpr Metric<S> kShard[] = {
    CounterOf<&S::bytes_received, S>("meridian_shard_received_bytes_total",
                                     "Bytes received from the shard's nodes."),
    CounterOf<&S::bytes_sent, S>("meridian_shard_sent_bytes_total",
                                 "Bytes sent to the shard's nodes."),
    GaugeOf<&S::servers_active, S>("meridian_servers_active",
                                   "Server connections that serve a session."),
    GaugeOf<&S::servers_idle, S>("meridian_servers_idle",
                                 "Server connections that wait in a pool."),
    GaugeOf<&S::servers_login, S>("meridian_servers_login", "Server connections being opened."),
    CounterOf<&S::servers_opened, S>("meridian_servers_opened_total",
                                     "Server connections opened and logged in."),
    CounterOf<&S::servers_closed, S>("meridian_servers_closed_total",
                                     "Server connections closed after they were logged in."),
    CounterOf<&S::server_login_failures, S>("meridian_server_login_failures_total",
                                            "Server connections that could not be opened."),
    GaugeOf<&S::waiting, S>("meridian_shard_clients_waiting",
                            "Clients that wait for a server connection of the shard."),
    CounterOf<&S::waits, S>("meridian_shard_waits_total",
                            "Waits for a server connection of the shard."),
    CounterOf<&S::wait_timeouts, S>("meridian_shard_wait_timeouts_total",
                                    "Waits that were ended by queue_timeout."),
    SecondsOf<&S::wait_us, S>("meridian_shard_wait_seconds_total",
                              "Time spent in the waits that have ended."),
};

using P = ProcessMetrics;
constexpr Metric<P> kProcess[] = {
    GaugeOf<&P::catalog_epoch, P>("meridian_catalog_epoch",
                                  "Epoch of the newest shard map read from the catalog."),
    GaugeOf<&P::schema_version, P>("meridian_schema_version",
                                   "Version of the newest schema read from the shards."),
    GaugeOf<&P::shards, P>("meridian_shards", "Shards in the newest shard map."),
    GaugeOf<&P::catalog_connected, P>("meridian_catalog_connected",
                                      "1 while the catalog can be read, otherwise 0."),
    CounterOf<&P::catalog_errors, P>("meridian_catalog_errors_total",
                                     "Failed reads of the catalog."),
    CounterOf<&P::config_reloads, P>("meridian_config_reloads_total",
                                     "Reloads of the configuration that took effect."),
    CounterOf<&P::recovered_commits, P>("meridian_recovered_commits_total",
                                        "Prepared transactions that the recovery has committed."),
    CounterOf<&P::recovered_rollbacks, P>(
        "meridian_recovered_rollbacks_total",
        "Prepared transactions that the recovery has rolled back."),
    CounterOf<&P::deadlocks, P>("meridian_deadlocks_total",
                                "Deadlocks over several shards that cost a client its "
                                "transaction."),
    GaugeOf<&P::transactions_in_doubt, P>(
        "meridian_transactions_in_doubt",
        "Prepared transactions that the recovery cannot finish yet."),
    CounterOf<&P::failovers, P>("meridian_failovers_total",
                                "Times that another node has become the primary of a shard."),
    GaugeOf<&P::shards_without_primary, P>("meridian_shards_without_primary",
                                           "Shards whose primary cannot be used."),
    SecondsOf<&P::without_primary_us, P>(
        "meridian_without_primary_seconds_total",
        "How long shards had no primary that could be used, of times that have ended."),
    GaugeOf<&P::moves_open, P>(
        "meridian_moves_open",
        "Moves of key ranges that have not ended, on the proxy that does them."),
    CounterOf<&P::moves_done, P>("meridian_moves_done_total", "Moves that have come to their end."),
    CounterOf<&P::moves_undone, P>("meridian_moves_undone_total",
                                   "Moves that were cancelled, or have failed."),
    CounterOf<&P::move_rows, P>("meridian_move_rows_total", "Rows copied by moves."),
    CounterOf<&P::move_bytes, P>("meridian_move_bytes_total", "Bytes copied by moves."),
    CounterOf<&P::move_changes, P>("meridian_move_changes_total",
                                   "Rows changed at targets of moves by following their sources."),
    GaugeOf<&P::move_lag_bytes, P>(
        "meridian_move_lag_bytes",
        "Bytes of the source's log that the target of a move has not applied."),
    SecondsGaugeOf<&P::move_lag_us, P>("meridian_move_lag_seconds",
                                       "How long a change at the source takes to be applied at the "
                                       "target, of all moves together."),
    GaugeOf<&P::move_log_kept_bytes, P>("meridian_move_log_kept_bytes",
                                        "Bytes of their log that sources keep for moves."),
    GaugeOf<&P::moves_throttled, P>("meridian_moves_throttled",
                                    "Moves whose copy is slowed down; SHOW MOVES tells by what."),
    CounterOf<&P::cutovers, P>("meridian_cutovers_total",
                               "Attempts to give a key range another owner."),
    CounterOf<&P::cutovers_undone, P>("meridian_cutovers_undone_total",
                                      "Those of them that were undone, to be tried again."),
    SecondsOf<&P::cutover_us, P>("meridian_cutover_seconds_total",
                                 "How long ranges were held by attempts that came to their end."),
    GaugeOf<&P::start_time_seconds, P>("meridian_start_time_seconds",
                                       "When the process started, in seconds since 1970."),
    CounterOf<&P::clients_refused, P>("meridian_clients_refused_total",
                                      "Client connections refused by max_client_connections."),
};

}  // namespace

std::span<const Metric<WorkerMetrics>> WorkerMetricTable() { return kWorker; }
std::span<const Metric<ShardMetrics>> ShardMetricTable() { return kShard; }
std::span<const Metric<ProcessMetrics>> ProcessMetricTable() { return kProcess; }

}  // namespace meridian
