#include "proxy/admin/reports.h"

#include <algorithm>
#include <iterator>

namespace meridian {
namespace {

struct Report {
  ShowSubject subject;
  std::vector<AdminColumn> (*columns)();
  std::vector<AdminRow> (*rows)(WorkerReports, const ReportContext&);
};
constexpr Report kReports[] = {
    {ShowSubject::kClients, ClientColumns, ClientRows},
    {ShowSubject::kServers, ServerColumns, ServerRows},
    {ShowSubject::kPools, PoolColumns, PoolRows},
    {ShowSubject::kStats, StatsColumns, StatsRows},
    {ShowSubject::kLists, ListColumns, ListRows},
    {ShowSubject::kDatabases, DatabaseColumns, DatabaseRows},
    {ShowSubject::kTransactions, TransactionColumns, TransactionRows},
};

const Report* FindReport(ShowSubject subject) {
  const Report* found = std::find_if(std::begin(kReports), std::end(kReports),
                                     [&](const Report& r) { return r.subject == subject; });
  return found == std::end(kReports) ? nullptr : found;
}

}  // namespace

std::optional<std::vector<AdminColumn>> ReportColumns(ShowSubject subject) {
  const Report* report = FindReport(subject);
  return report == nullptr ? std::nullopt : std::optional(report->columns());
}

absl::StatusOr<AdminResult> AnswerFromReports(const Show& show, WorkerReports reports,
                                              const ReportContext& context) {
  const Report& report = *FindReport(show.subject);
  return ShowResult(show, {report.columns(), report.rows(reports, context)});
}

}  // namespace meridian
