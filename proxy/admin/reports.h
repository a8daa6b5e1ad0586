// The SHOW commands about what workers do: CLIENTS, SERVERS, POOLS, STATS, LISTS, DATABASES,
// TRANSACTIONS. Pure.
//
// Tables begin with the columns of PgBouncer 1.18, in its order, with its names and types, so that
// dashboards and exporters find what they know; ours follow. What PgBouncer has and Meridian has
// not (DNS, reserve pools...) is 0.
//
// SHOW POOLS has one row per database and user, as there: exporters take these two for a key.
// Figures per node are in SHOW DATABASES, whose rows PgBouncer's exporters tell apart by host and
// port, too.
#pragma once

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <optional>
#include <vector>

#include "proxy/admin/worker_report.h"
#include "proxy/config/config.h"
#include "proxy/control/control_plane.h"
#include "proxy/control/snapshot.h"
#include "sharding/admin/command.h"
#include "sharding/admin/table_result.h"

namespace meridian {

// What is known besides the reports. References: valid during the call.
struct ReportContext {
  const Snapshot& snapshot;
  const Config& config;
  const ControlStatus& control;
  const PreparedBoard& prepared;
};
using WorkerReports = absl::Span<const WorkerReport>;

// The columns without making the table (Describe). nullopt: the subject needs no reports.
std::optional<std::vector<AdminColumn>> ReportColumns(ShowSubject subject);

// 42703 and 22P02 for a wrong filter. Precondition: ReportColumns knows the subject.
absl::StatusOr<AdminResult> AnswerFromReports(const Show& show, WorkerReports reports,
                                              const ReportContext& context);

// The tables, one file each.
std::vector<AdminColumn> ClientColumns();
std::vector<AdminRow> ClientRows(WorkerReports reports, const ReportContext& context);
std::vector<AdminColumn> ServerColumns();
std::vector<AdminRow> ServerRows(WorkerReports reports, const ReportContext& context);
std::vector<AdminColumn> PoolColumns();
std::vector<AdminRow> PoolRows(WorkerReports reports, const ReportContext& context);
std::vector<AdminColumn> StatsColumns();
std::vector<AdminRow> StatsRows(WorkerReports reports, const ReportContext& context);
std::vector<AdminColumn> ListColumns();
std::vector<AdminRow> ListRows(WorkerReports reports, const ReportContext& context);
std::vector<AdminColumn> DatabaseColumns();
std::vector<AdminRow> DatabaseRows(WorkerReports reports, const ReportContext& context);
std::vector<AdminColumn> TransactionColumns();
std::vector<AdminRow> TransactionRows(WorkerReports reports, const ReportContext& context);

}  // namespace meridian
