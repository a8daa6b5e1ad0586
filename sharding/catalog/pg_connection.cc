#include "sharding/catalog/pg_connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <thread>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Clock = std::chrono::steady_clock;

// The milliseconds that poll() may wait; -1: for ever.
int PollTimeout(const std::optional<Clock::time_point>& deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
}

std::string Trimmed(const char* message) {
  std::string text = message == nullptr ? "" : message;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string Field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? std::string() : std::string(value);
}

// A file descriptor that becomes readable when a stop is requested, so that poll() sees it; -1,
// which poll() ignores, where none can be requested.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& stop)
      : fd_(stop.stop_possible() ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1) {
    callback_.emplace(stop, Wake{fd_});
  }
  ~StopEvent() {
    callback_.reset();  // first: it may be writing to the descriptor
    if (fd_ >= 0) close(fd_);
  }
  StopEvent(const StopEvent&) = delete;
  StopEvent& operator=(const StopEvent&) = delete;
  int fd() const { return fd_; }

 private:
  struct Wake {
    int fd;
    void operator()() const { eventfd_write(fd, 1); }
  };
  int fd_;
  std::optional<std::stop_callback<Wake>> callback_;
};

uint64_t ToNumber(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

bool IsConnectionLoss(const absl::Status& status) {
  if (status.ok()) return false;
  const std::string state = ToSqlError(status).sqlstate;
  return state.starts_with("08") || state == sqlstate::kAdminShutdown || state == "57P02" ||
         state == sqlstate::kCannotConnectNow;
}

void PgResult::Clear::operator()(PGresult* result) const { PQclear(result); }

PgResult::PgResult(PGresult* result)
    : result_(result),
      rows_(static_cast<size_t>(PQntuples(result))),
      columns_(static_cast<size_t>(PQnfields(result))) {}

std::optional<std::string_view> PgResult::Get(size_t row, size_t column) const {
  const int r = static_cast<int>(row), c = static_cast<int>(column);
  if (PQgetisnull(result_.get(), r, c)) return std::nullopt;
  return std::string_view(PQgetvalue(result_.get(), r, c),
                          static_cast<size_t>(PQgetlength(result_.get(), r, c)));
}

std::string PgResult::Text(size_t row, size_t column) const {
  return std::string(Get(row, column).value_or(std::string_view()));
}

uint64_t PgResult::Number(size_t row, size_t column) const {
  return ToNumber(Get(row, column).value_or(std::string_view()));
}

std::string_view PgResult::tag() const { return PQcmdStatus(result_.get()); }

uint64_t PgResult::affected() const { return ToNumber(PQcmdTuples(result_.get())); }

void PgConnection::Finish::operator()(PGconn* connection) const { PQfinish(connection); }

bool PgConnection::broken() const {
  return timed_out_ || !connection_ || PQstatus(connection_.get()) != CONNECTION_OK;
}

int PgConnection::backend_pid() const { return PQbackendPID(connection_.get()); }

absl::StatusOr<PgConnection> PgConnection::Connect(const PgTarget& target) {
  const std::string port = std::to_string(target.address.port);
  std::vector<const char*> keys = {"host", "port", "dbname", "user", "application_name"};
  std::vector<const char*> values = {target.address.host.c_str(), port.c_str(),
                                     target.dbname.c_str(), target.user.c_str(),
                                     target.application_name.c_str()};
  const auto add = [&](const char* key, const char* value) {
    keys.push_back(key);
    values.push_back(value);
  };
  if (!target.password.empty()) add("password", target.password.c_str());
  add("client_encoding", "UTF8");
  // A server that died without a word is noticed in half a minute.
  add("keepalives_idle", "10");
  add("keepalives_interval", "5");
  add("keepalives_count", "4");
  for (const auto& [key, value] : target.parameters) add(key.c_str(), value.c_str());
  add(nullptr, nullptr);

  PgConnection connection;
  connection.name_ = fmt::format("{}/{}", target.address.ToString(), target.dbname);
  connection.statement_timeout_ = target.statement_timeout;
  connection.stop_ = target.stop;
  connection.connection_.reset(PQconnectStartParams(keys.data(), values.data(), 0));
  PGconn* const raw = connection.connection_.get();
  const auto failed = [&](const std::string& why) {
    return SqlStatus(sqlstate::kConnectionFailure, fmt::format("cannot connect to {} as \"{}\": {}",
                                                               connection.name_, target.user, why));
  };
  if (raw == nullptr) return failed("out of memory");
  const auto deadline = Clock::now() + target.connect_timeout;
  for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;) {
    if (PQstatus(raw) == CONNECTION_BAD || state == PGRES_POLLING_FAILED) {
      return failed(Trimmed(PQerrorMessage(raw)));
    }
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!connection.WaitSocket(events, deadline).ok()) {
      if (target.stop.stop_requested()) return connection.Stopped();
      return failed(fmt::format("no answer within {} ms", target.connect_timeout.count()));
    }
    state = PQconnectPoll(raw);
  }
  // Notices would otherwise go to stderr past the log.
  PQsetNoticeProcessor(
      raw, [](void*, const char*) {}, nullptr);
  PQsetnonblocking(raw, 1);
  return connection;
}

PgConnection::Deadline PgConnection::StatementDeadline() const {
  if (statement_timeout_.count() == 0) return std::nullopt;
  return Clock::now() + statement_timeout_;
}

absl::Status PgConnection::ErrorOf(const PGresult* result) const {
  SqlError error{.sqlstate = Field(result, PG_DIAG_SQLSTATE),
                 .message = Field(result, PG_DIAG_MESSAGE_PRIMARY),
                 .detail = Field(result, PG_DIAG_MESSAGE_DETAIL),
                 .hint = Field(result, PG_DIAG_MESSAGE_HINT),
                 .position = 0};
  if (error.sqlstate.size() != 5) {  // made by libpq, not by a server: the connection is gone
    error.sqlstate = sqlstate::kConnectionFailure;
    error.message =
        fmt::format("lost the connection to {}: {}", name_, Trimmed(PQresultErrorMessage(result)));
  }
  return ToStatus(error);
}

absl::Status PgConnection::Lost() {
  return SqlStatus(sqlstate::kConnectionFailure,
                   fmt::format("lost the connection to {}: {}", name_,
                               Trimmed(PQerrorMessage(connection_.get()))));
}

absl::Status PgConnection::Stopped() {
  return SqlStatus(sqlstate::kAdminShutdown, fmt::format("stopped while waiting for {}", name_));
}

// The statement may still run on the server: a cancel is sent, and the connection is given up.
// PQcancel has no timeout of its own and waits for ever for a server that hangs: hence the thread.
absl::Status PgConnection::TimedOut() {
  timed_out_ = true;
  if (PGcancel* cancel = PQgetCancel(connection_.get())) {
    std::thread([cancel] {
      char error[256];
      PQcancel(cancel, error, sizeof(error));
      PQfreeCancel(cancel);
    }).detach();
  }
  if (stop_.stop_requested()) return Stopped();
  return SqlStatus(sqlstate::kConnectionFailure, fmt::format("{} did not answer within {} ms",
                                                             name_, statement_timeout_.count()));
}

absl::Status PgConnection::WaitSocket(short events, const Deadline& deadline) {
  const StopEvent stopped(stop_);
  for (;;) {
    pollfd sockets[2] = {{PQsocket(connection_.get()), events, 0}, {stopped.fd(), POLLIN, 0}};
    const int ready = poll(sockets, 2, PollTimeout(deadline));
    if (stop_.stop_requested()) return SqlStatus(sqlstate::kQueryCanceled, "stopped");
    if (ready > 0) return absl::OkStatus();
    if (ready == 0) return SqlStatus(sqlstate::kQueryCanceled, "timeout");
    if (errno != EINTR) return Lost();
  }
}

absl::Status PgConnection::Flush(const Deadline& deadline) {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left == 0) return absl::OkStatus();
    if (left < 0) return Lost();
    // Reading as well, so that a server which writes before it reads on does not block both.
    if (!WaitSocket(POLLIN | POLLOUT, deadline).ok()) return TimedOut();
    if (PQconsumeInput(connection_.get()) == 0) return Lost();
  }
}

absl::StatusOr<PGresult*> PgConnection::NextResult(const Deadline& deadline) {
  while (PQisBusy(connection_.get())) {
    if (!WaitSocket(POLLIN, deadline).ok()) return TimedOut();
    if (PQconsumeInput(connection_.get()) == 0) return Lost();
  }
  return PQgetResult(connection_.get());
}

absl::StatusOr<PgResult> PgConnection::Finished(const Deadline& deadline) {
  absl::Status error;
  std::unique_ptr<PGresult, decltype(&PQclear)> last(nullptr, &PQclear);
  for (;;) {
    auto next = NextResult(deadline);
    if (!next.ok()) return next.status();
    if (*next == nullptr) break;
    const ExecStatusType kind = PQresultStatus(*next);
    if (kind == PGRES_FATAL_ERROR || kind == PGRES_BAD_RESPONSE) {
      if (error.ok()) error = ErrorOf(*next);
      PQclear(*next);
    } else if (kind == PGRES_COPY_IN || kind == PGRES_COPY_OUT || kind == PGRES_COPY_BOTH) {
      PQclear(*next);
      timed_out_ = true;  // the copy is never ended: the connection is of no more use
      return SqlStatus(sqlstate::kProtocolViolation, "a COPY statement where none is expected");
    } else {
      last.reset(*next);
    }
  }
  if (!error.ok()) return error;
  if (last == nullptr) return Lost();
  return PgResult(last.release());
}

absl::StatusOr<PgResult> PgConnection::Query(std::string_view sql,
                                             absl::Span<const PgParameter> parameters) {
  const Deadline deadline = StatementDeadline();
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const PgParameter& p : parameters) values.push_back(p ? p->c_str() : nullptr);
  if (broken() || PQsendQueryParams(connection_.get(), std::string(sql).c_str(),
                                    static_cast<int>(values.size()), nullptr, values.data(),
                                    nullptr, nullptr, 0) == 0) {
    return Lost();
  }
  if (absl::Status sent = Flush(deadline); !sent.ok()) return sent;
  return Finished(deadline);
}

absl::StatusOr<PgResult> PgConnection::Script(std::string_view sql) {
  const Deadline deadline = StatementDeadline();
  if (broken() || PQsendQuery(connection_.get(), std::string(sql).c_str()) == 0) return Lost();
  if (absl::Status sent = Flush(deadline); !sent.ok()) return sent;
  return Finished(deadline);
}

absl::StatusOr<std::optional<PgNotification>> PgConnection::WaitForNotification(
    std::chrono::milliseconds timeout, const std::stop_token& stop) {
  const auto deadline = Clock::now() + timeout;
  const StopEvent stopped(stop);
  for (;;) {
    if (PQconsumeInput(connection_.get()) == 0) return Lost();
    if (PGnotify* notify = PQnotifies(connection_.get())) {
      PgNotification notification{notify->relname, notify->extra};
      PQfreemem(notify);
      return notification;
    }
    if (broken()) return Lost();
    if (stop.stop_requested()) return std::nullopt;
    pollfd sockets[2] = {{PQsocket(connection_.get()), POLLIN, 0}, {stopped.fd(), POLLIN, 0}};
    const int ready = poll(sockets, 2, PollTimeout(deadline));
    if (ready == 0) return std::nullopt;
    if (ready < 0 && errno != EINTR) return Lost();
  }
}

// A lock timeout that fires while the lock is being granted is told by the next message, which may
// be COMMIT, or ROLLBACK (proc.c, ProcSleep: LOCK_TIMEOUT keeps its indicator).
void RollBack(PgConnection& connection) {
  constexpr int kTries = 3;
  for (int i = 0; i < kTries && !connection.broken(); ++i) {
    if (PQtransactionStatus(connection.raw()) == PQTRANS_IDLE) return;
    connection.Script("ROLLBACK").IgnoreError();
  }
}

absl::Status InTransaction(PgConnection& connection, std::string_view begin,
                           absl::FunctionRef<absl::Status()> body) {
  if (auto begun = connection.Script(begin); !begun.ok()) return begun.status();
  absl::Status done = body();
  if (done.ok()) {
    const auto ended = connection.Script("COMMIT");
    done = ended.status();
    if (ended.ok() && ended->tag() != "COMMIT") {
      done = SqlStatus(sqlstate::kInFailedTransaction,
                       "a transaction was rolled back, since a statement in it had failed");
    }
  }
  if (!done.ok()) RollBack(connection);
  return done;
}

}  // namespace meridian
