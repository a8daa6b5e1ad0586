// A blocking connection to PostgreSQL, for control threads: the catalog, shards under inspection,
// moves. Never used on the query path.
//
// Errors are statuses with the server's SQLSTATE, detail and hint (sharding/sql_status.h); a server
// that cannot be reached or does not answer is 08006. No message contains a password.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sharding/shard_map.h"

struct pg_conn;
struct pg_result;

namespace meridian {

struct PgTarget {
  NodeAddress address;
  std::string dbname;
  std::string user;
  std::string password;  // empty: none is sent; libpq then looks into PGPASSFILE
  // Further libpq parameters ("sslmode", "sslrootcert", "options", ...), as libpq spells them.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string application_name = "meridian";
  std::chrono::milliseconds connect_timeout{5000};
  // For one statement, until its whole answer is here. 0: no limit.
  std::chrono::milliseconds statement_timeout{30000};
  // When requested, whatever waits on the connection ends at once with 57P01, and it is broken.
  std::stop_token stop;
};

// A value in text format; nullopt: NULL.
using PgParameter = std::optional<std::string>;

// The answer to one statement. Move-only; values live as long as it does.
class PgResult {
 public:
  explicit PgResult(pg_result* result);

  size_t rows() const { return rows_; }
  size_t columns() const { return columns_; }
  // nullopt: NULL. Precondition: row < rows(), column < columns().
  std::optional<std::string_view> Get(size_t row, size_t column) const;
  // The same; NULL is an empty string.
  std::string Text(size_t row, size_t column) const;
  // The same of a whole number; what is none, or negative, is 0.
  uint64_t Number(size_t row, size_t column) const;
  // "INSERT 0 3"
  std::string_view tag() const;
  // Rows that the statement touched, 0 where the tag has no number.
  uint64_t affected() const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
  size_t rows_;
  size_t columns_;
};

struct PgNotification {
  std::string channel;
  std::string payload;
};

// One thread at a time. Move-only. Closing is the destructor's work.
class PgConnection {
 public:
  // Connects and authenticates within target.connect_timeout, host name lookup excepted.
  static absl::StatusOr<PgConnection> Connect(const PgTarget& target);

  // One statement with parameters $1..., in the extended protocol.
  absl::StatusOr<PgResult> Query(std::string_view sql,
                                 absl::Span<const PgParameter> parameters = {});
  // One or more statements in the simple protocol; the last result is given, the first error ends.
  absl::StatusOr<PgResult> Script(std::string_view sql);

  // `sql` is COPY ... TO STDOUT: `sink` gets each CopyData message. An error of the sink cancels
  // the copy and is returned.
  absl::Status CopyOut(std::string_view sql,
                       absl::FunctionRef<absl::Status(std::string_view)> sink);
  // `sql` is COPY ... FROM STDIN: begins it. Then CopyData any number of times, then CopyEnd, which
  // gives the server's answer; an error status given to CopyEnd makes the copy fail.
  absl::Status CopyBegin(std::string_view sql);
  absl::Status CopyData(std::string_view data);
  absl::Status CopyEnd(const absl::Status& outcome = absl::OkStatus());

  // `sql` begins a copy in both directions (START_REPLICATION, on a replication connection). Then
  // CopyData sends, and CopyReceive hands the next CopyData message to `sink`: false where none
  // comes within the timeout; 08006 when the server has ended the copy.
  absl::Status CopyBothBegin(std::string_view sql);
  absl::StatusOr<bool> CopyReceive(std::chrono::milliseconds timeout,
                                   absl::FunctionRef<absl::Status(std::string_view)> sink);

  // Statements that are sent without waiting for one another: PipelineBegin, any number of
  // Prepare, Execute and Statement, then PipelineEnd, which waits for all answers and gives the
  // rows that each statement touched, in order (Prepare: 0). The first error is given, and what
  // stood behind it has not run. (PostgreSQL documentation, "Pipeline Mode")
  absl::Status PipelineBegin();
  absl::Status PipelinePrepare(const std::string& name, const std::string& sql);
  absl::Status PipelineExecute(const std::string& name, absl::Span<const PgParameter> parameters);
  absl::Status PipelineStatement(const std::string& sql,
                                 absl::Span<const PgParameter> parameters = {});
  absl::StatusOr<std::vector<uint64_t>> PipelineEnd();

  // The next notification, nullopt at the timeout or when `stop` is requested. 08006 when the
  // connection is lost.
  absl::StatusOr<std::optional<PgNotification>> WaitForNotification(
      std::chrono::milliseconds timeout, const std::stop_token& stop = {});

  // Replaces PgTarget::statement_timeout from the next statement on.
  void set_statement_timeout(std::chrono::milliseconds timeout) { statement_timeout_ = timeout; }
  // The connection is of no more use: it was lost, or a statement timed out on it.
  bool broken() const;
  // The process id of the server's backend.
  int backend_pid() const;
  // "host:port/dbname", for messages.
  const std::string& name() const { return name_; }
  // For what has no function here (logical replication).
  pg_conn* raw() { return connection_.get(); }

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  using Deadline = std::optional<std::chrono::steady_clock::time_point>;

  PgConnection() = default;
  Deadline StatementDeadline() const;
  // Waits until the socket is readable (or writable). OK; 57014 at the deadline or a stop.
  absl::Status WaitSocket(short events, const Deadline& deadline);
  absl::Status Flush(const Deadline& deadline);
  // The next result of the running statement, nullptr at its end.
  absl::StatusOr<pg_result*> NextResult(const Deadline& deadline);
  absl::StatusOr<PgResult> Finished(const Deadline& deadline);
  absl::Status StartCopy(std::string_view sql, int wanted);
  // The error of a COPY statement that did not begin a copy. Takes over `first`.
  absl::Status AfterNoCopy(pg_result* first);
  absl::Status ErrorOf(const pg_result* result) const;
  absl::Status Lost();
  absl::Status TimedOut();
  absl::Status Stopped();

  std::unique_ptr<pg_conn, Finish> connection_;
  std::string name_;
  std::chrono::milliseconds statement_timeout_{0};
  std::stop_token stop_;
  bool timed_out_ = false;
};

// Whether the status says that a connection was lost (so the statement's fate is unknown), not that
// the server refused.
bool IsConnectionLoss(const absl::Status& status);

// Ends the transaction that is open, if one is, also behind a COMMIT that has failed.
void RollBack(PgConnection& connection);

// Runs `body` between BEGIN and COMMIT; ROLLBACK where either fails. 25P02: a statement in it had
// failed, of which `body` did not tell. `begin`: "BEGIN", "BEGIN READ ONLY"...
absl::Status InTransaction(PgConnection& connection, std::string_view begin,
                           absl::FunctionRef<absl::Status()> body);

}  // namespace meridian
