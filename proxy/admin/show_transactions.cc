// SHOW TRANSACTIONS: those that clients have open, and what is prepared on the shards.
#include <fmt/format.h>

#include <algorithm>

#include "proxy/admin/reports.h"
#include "proxy/admin/table_rows.h"

namespace meridian {
namespace {

constexpr uint64_t kMillisecondUs = 1'000;

std::string StateOf(const TransactionRow& transaction) {
  if (transaction.ending) return "ending";
  return transaction.failed ? "failed" : "open";
}

// The names of the shards whose servers `keep`.
template <typename Keep>
std::string ShardsOf(const TransactionRow& transaction, const Snapshot& snapshot, Keep keep) {
  std::vector<std::string> names;
  for (const TransactionRow::Part& part : transaction.parts) {
    const auto place = PlaceOf(part.pool, snapshot);
    if (place && keep(part)) names.push_back(snapshot.map->shard(place->shard).name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

AdminRow RowOf(const ClientRow& client, const Snapshot& snapshot) {
  const TransactionRow& transaction = *client.transaction;
  return {NumberValue(client.client_id),
          client.user,
          client.database,
          StateOf(transaction),
          TextOrNull(ShardsOf(transaction, snapshot, [](const auto&) { return true; })),
          TextOrNull(ShardsOf(transaction, snapshot, [](const auto& part) { return part.wrote; })),
          NumberValue(transaction.age_us / kMillisecondUs),
          std::nullopt,
          std::nullopt};
}

AdminRow RowOf(const PreparedTransaction& prepared, const Config& config) {
  return {std::nullopt,
          prepared.owner,
          config.databases.empty() ? std::string() : config.databases.front().name,
          prepared.in_doubt ? "in doubt" : "prepared",
          prepared.shard,
          prepared.shard,
          NumberValue(static_cast<uint64_t>(std::max<int64_t>(prepared.age_ms, 0))),
          prepared.name,
          prepared.why};
}

}  // namespace

std::vector<AdminColumn> TransactionColumns() {
  return {{"client_id", type_oid::kInt8},
          {"user"},
          {"database"},
          {"state"},
          {"shards"},
          {"written"},
          {"age_ms", type_oid::kInt8},
          {"prepared_name"},
          {"reason"}};
}

std::vector<AdminRow> TransactionRows(WorkerReports reports, const ReportContext& context) {
  std::vector<AdminRow> rows;
  for (const WorkerReport& report : reports) {
    for (const ClientRow& client : report.clients) {
      if (client.transaction) rows.push_back(RowOf(client, context.snapshot));
    }
  }
  for (const PreparedTransaction& prepared : context.prepared.All()) {
    rows.push_back(RowOf(prepared, context.config));
  }
  return rows;
}

}  // namespace meridian
