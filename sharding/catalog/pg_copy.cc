// COPY in and out of PgConnection.
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <climits>

#include "sharding/catalog/pg_connection.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// libpq takes lengths as int.
constexpr size_t kCopyChunkBytes = 1 << 20;

}  // namespace

absl::Status PgConnection::CopyOut(std::string_view sql,
                                   absl::FunctionRef<absl::Status(std::string_view)> sink) {
  if (absl::Status started = StartCopy(sql, PGRES_COPY_OUT); !started.ok()) return started;
  Deadline deadline = StatementDeadline();
  for (;;) {
    char* data = nullptr;
    const int length = PQgetCopyData(connection_.get(), &data, 1);
    if (length > 0) {
      const absl::Status taken = sink({data, static_cast<size_t>(length)});
      PQfreemem(data);
      deadline = StatementDeadline();  // for progress, not for the whole copy
      if (!taken.ok()) {
        TimedOut().IgnoreError();  // cancels; what is under way would have to be read otherwise
        return taken;
      }
    } else if (length == 0) {
      if (!WaitSocket(POLLIN, deadline).ok()) return TimedOut();
      if (PQconsumeInput(connection_.get()) == 0) return Lost();
    } else if (length == -1) {
      return Finished(deadline).status();
    } else {
      return Lost();
    }
  }
}

// `wanted`: an ExecStatusType.
absl::Status PgConnection::StartCopy(std::string_view sql, int wanted) {
  const Deadline deadline = StatementDeadline();
  if (broken() || PQsendQuery(connection_.get(), std::string(sql).c_str()) == 0) return Lost();
  if (absl::Status sent = Flush(deadline); !sent.ok()) return sent;
  auto first = NextResult(deadline);
  if (!first.ok()) return first.status();
  if (PQresultStatus(*first) != static_cast<ExecStatusType>(wanted)) return AfterNoCopy(*first);
  PQclear(*first);
  return absl::OkStatus();
}

absl::Status PgConnection::CopyBegin(std::string_view sql) { return StartCopy(sql, PGRES_COPY_IN); }

absl::Status PgConnection::CopyBothBegin(std::string_view sql) {
  return StartCopy(sql, PGRES_COPY_BOTH);
}

absl::StatusOr<bool> PgConnection::CopyReceive(
    std::chrono::milliseconds timeout, absl::FunctionRef<absl::Status(std::string_view)> sink) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    char* data = nullptr;
    const int length = PQgetCopyData(connection_.get(), &data, 1);
    if (length > 0) {
      const absl::Status taken = sink({data, static_cast<size_t>(length)});
      PQfreemem(data);
      if (!taken.ok()) return taken;
      return true;
    }
    if (length == -1) {
      absl::Status end = Finished(StatementDeadline()).status();
      return end.ok() ? Lost() : end;
    }
    if (length < 0) return Lost();
    if (!WaitSocket(POLLIN, deadline).ok()) {
      if (stop_.stop_requested()) return Stopped();
      if (std::chrono::steady_clock::now() >= deadline) return false;
      return Lost();
    }
    if (PQconsumeInput(connection_.get()) == 0) return Lost();
  }
}

absl::Status PgConnection::AfterNoCopy(PGresult* first) {
  const PgResult result(first);
  absl::Status error =
      PQresultStatus(first) == PGRES_FATAL_ERROR
          ? ErrorOf(first)
          : SqlStatus(sqlstate::kProtocolViolation, "the statement is no COPY of this direction");
  while (true) {
    auto next = NextResult(StatementDeadline());
    if (!next.ok()) return next.status();
    if (*next == nullptr) return error;
    PQclear(*next);
  }
}

absl::Status PgConnection::CopyData(std::string_view data) {
  while (!data.empty()) {
    const std::string_view chunk = data.substr(0, kCopyChunkBytes);
    const int queued =
        PQputCopyData(connection_.get(), chunk.data(), static_cast<int>(chunk.size()));
    if (queued < 0) return Lost();
    if (absl::Status sent = Flush(StatementDeadline()); !sent.ok()) return sent;
    if (queued > 0) data.remove_prefix(chunk.size());
  }
  return absl::OkStatus();
}

absl::Status PgConnection::CopyEnd(const absl::Status& outcome) {
  const Deadline deadline = StatementDeadline();
  const std::string error = outcome.ok() ? "" : ToSqlError(outcome).message;
  int queued = 0;
  while ((queued = PQputCopyEnd(connection_.get(), outcome.ok() ? nullptr : error.c_str())) == 0) {
    if (absl::Status sent = Flush(deadline); !sent.ok()) return sent;
  }
  if (queued < 0) return Lost();
  if (absl::Status sent = Flush(deadline); !sent.ok()) return sent;
  return Finished(deadline).status();
}

}  // namespace meridian
