// SHOW STATS: totals since the start, and averages over the last period (PgBouncer: stats.c).
#include <cmath>
#include <map>

#include "proxy/admin/reports.h"
#include "proxy/admin/table_rows.h"

namespace meridian {
namespace {

// Of one database, over workers. Their periods end at different times and so have a rate each.
struct Database {
  StatsTotals totals;
  StatsTotals last_period;
  double transactions_per_second = 0;
  double queries_per_second = 0;
  double received_per_second = 0;
  double sent_per_second = 0;
  double wait_us_per_second = 0;

  void Add(const StatsRow& row) {
    totals += row.totals;
    last_period += row.last_period;
    if (row.period_us == 0) return;
    const double seconds = static_cast<double>(row.period_us) / 1e6;
    transactions_per_second += static_cast<double>(row.last_period.transactions) / seconds;
    queries_per_second += static_cast<double>(row.last_period.queries) / seconds;
    received_per_second += static_cast<double>(row.last_period.bytes_received) / seconds;
    sent_per_second += static_cast<double>(row.last_period.bytes_sent) / seconds;
    wait_us_per_second += static_cast<double>(row.last_period.wait_us) / seconds;
  }
};

AdminValue Rate(double per_second) {
  return NumberValue(static_cast<uint64_t>(std::llround(per_second)));
}

AdminValue Mean(uint64_t sum, uint64_t count) { return NumberValue(count == 0 ? 0 : sum / count); }

}  // namespace

std::vector<AdminColumn> StatsColumns() {
  std::vector<AdminColumn> columns = {{"database"}};
  for (const char* name :
       {"total_xact_count", "total_query_count", "total_received", "total_sent", "total_xact_time",
        "total_query_time", "total_wait_time", "avg_xact_count", "avg_query_count", "avg_recv",
        "avg_sent", "avg_xact_time", "avg_query_time", "avg_wait_time"}) {
    columns.push_back({name, type_oid::kNumeric});
  }
  return columns;
}

std::vector<AdminRow> StatsRows(WorkerReports reports, const ReportContext&) {
  std::map<std::string, Database> databases;
  for (const WorkerReport& report : reports) {
    for (const StatsRow& row : report.stats) databases[row.database].Add(row);
  }
  std::vector<AdminRow> rows;
  for (const auto& [name, database] : databases) {
    const StatsTotals& total = database.totals;
    const StatsTotals& last = database.last_period;
    rows.push_back({name, NumberValue(total.transactions), NumberValue(total.queries),
                    NumberValue(total.bytes_received), NumberValue(total.bytes_sent),
                    NumberValue(total.transaction_us), NumberValue(total.query_us),
                    NumberValue(total.wait_us), Rate(database.transactions_per_second),
                    Rate(database.queries_per_second), Rate(database.received_per_second),
                    Rate(database.sent_per_second), Mean(last.transaction_us, last.transactions),
                    Mean(last.query_us, last.queries), Rate(database.wait_us_per_second)});
  }
  return rows;
}

}  // namespace meridian
