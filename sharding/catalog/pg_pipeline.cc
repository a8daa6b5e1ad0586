// Pipelines of PgConnection.
#include <libpq-fe.h>

#include "sharding/catalog/pg_connection.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

std::vector<const char*> Values(absl::Span<const PgParameter> parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const PgParameter& p : parameters) values.push_back(p ? p->c_str() : nullptr);
  return values;
}

}  // namespace

absl::Status PgConnection::PipelineBegin() {
  if (broken() || PQenterPipelineMode(connection_.get()) == 0) return Lost();
  return absl::OkStatus();
}

absl::Status PgConnection::PipelinePrepare(const std::string& name, const std::string& sql) {
  if (PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr) == 0) return Lost();
  return absl::OkStatus();
}

absl::Status PgConnection::PipelineExecute(const std::string& name,
                                           absl::Span<const PgParameter> parameters) {
  const std::vector<const char*> values = Values(parameters);
  if (PQsendQueryPrepared(connection_.get(), name.c_str(), static_cast<int>(values.size()),
                          values.data(), nullptr, nullptr, 0) == 0) {
    return Lost();
  }
  return absl::OkStatus();
}

absl::Status PgConnection::PipelineStatement(const std::string& sql,
                                             absl::Span<const PgParameter> parameters) {
  const std::vector<const char*> values = Values(parameters);
  if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) == 0) {
    return Lost();
  }
  return absl::OkStatus();
}

// Each statement's results end with a nullptr; the Sync's comes last, and has none.
absl::StatusOr<std::vector<uint64_t>> PgConnection::PipelineEnd() {
  const Deadline deadline = StatementDeadline();
  if (broken() || PQpipelineSync(connection_.get()) == 0) return Lost();
  if (absl::Status sent = Flush(deadline); !sent.ok()) return sent;
  std::vector<uint64_t> affected;
  absl::Status error;
  for (bool more = true; more;) {
    auto next = NextResult(deadline);
    if (!next.ok()) return next.status();
    if (*next == nullptr) {
      if (PQstatus(connection_.get()) != CONNECTION_OK) return Lost();
      continue;
    }
    const PgResult result(*next);
    switch (PQresultStatus(*next)) {
      case PGRES_PIPELINE_SYNC:
        more = false;
        break;
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
        affected.push_back(result.affected());
        break;
      case PGRES_PIPELINE_ABORTED:
        break;
      default:
        if (error.ok()) error = ErrorOf(*next);
        break;
    }
  }
  if (PQexitPipelineMode(connection_.get()) == 0) return Lost();
  if (!error.ok()) return error;
  return affected;
}

}  // namespace meridian
