#include "tests/support/pg_connection.h"

#include <stdexcept>
#include <utility>

#include "sharding/sql_status.h"

namespace meridian {
inline namespace test_support {
namespace {

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, Clear>;

std::string Field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? "" : value;
}

absl::Status ErrorOf(PGconn* conn, const PGresult* result) {
  SqlError error{.sqlstate = Field(result, PG_DIAG_SQLSTATE),
                 .message = Field(result, PG_DIAG_MESSAGE_PRIMARY),
                 .detail = Field(result, PG_DIAG_MESSAGE_DETAIL),
                 .hint = Field(result, PG_DIAG_MESSAGE_HINT),
                 .position = 0};
  const std::string position = Field(result, PG_DIAG_STATEMENT_POSITION);
  if (!position.empty()) error.position = std::stoi(position);
  if (error.sqlstate.empty()) error.sqlstate = sqlstate::kConnectionFailure;
  if (error.message.empty()) error.message = PQerrorMessage(conn);
  return ToStatus(error);
}

std::string Describe(const absl::Status& status) {
  const SqlError error = ToSqlError(status);
  return error.sqlstate + ": " + error.message +
         (error.detail.empty() ? "" : " DETAIL: " + error.detail);
}

bool Succeeded(const PGresult* result) {
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
      return true;
    default:
      return false;
  }
}

PgRows RowsOf(PGresult* result) {
  PgRows rows;
  const int columns = PQnfields(result);
  for (int c = 0; c < columns; ++c) rows.columns.emplace_back(PQfname(result, c));
  rows.rows.resize(PQntuples(result));
  for (int r = 0; r < PQntuples(result); ++r) {
    for (int c = 0; c < columns; ++c) {
      if (PQgetisnull(result, r, c)) {
        rows.rows[r].emplace_back();
      } else {
        rows.rows[r].emplace_back(std::in_place, PQgetvalue(result, r, c),
                                  PQgetlength(result, r, c));
      }
    }
  }
  rows.tag = PQcmdStatus(result);
  return rows;
}

}  // namespace

absl::StatusOr<Connection> Connection::Open(const std::string& conninfo) {
  Connection connection(PQconnectdb(conninfo.c_str()));
  PGconn* conn = connection.raw();
  if (PQstatus(conn) == CONNECTION_OK) {
    // Notices are part of many a test's statements; they would only hide the test's output.
    PQsetNoticeProcessor(
        conn, [](void*, const char*) {}, nullptr);
    return connection;
  }
  return SqlStatus(sqlstate::kConnectionFailure, PQerrorMessage(conn));
}

Connection::Connection(const std::string& conninfo) {
  absl::StatusOr<Connection> connection = Open(conninfo);
  if (!connection.ok()) throw std::runtime_error(Describe(connection.status()));
  *this = *std::move(connection);
}

absl::StatusOr<PgRows> Connection::TryQuery(const std::string& sql,
                                            const std::vector<PgText>& parameters) {
  Result result;
  if (parameters.empty()) {
    result.reset(PQexec(raw(), sql.c_str()));
  } else {
    std::vector<const char*> values;
    for (const PgText& parameter : parameters) {
      values.push_back(parameter ? parameter->c_str() : nullptr);
    }
    result.reset(PQexecParams(raw(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                              values.data(), nullptr, nullptr, 0));
  }
  if (!Succeeded(result.get())) return ErrorOf(raw(), result.get());
  return RowsOf(result.get());
}

PgRows Connection::Query(const std::string& sql, const std::vector<PgText>& parameters) {
  absl::StatusOr<PgRows> rows = TryQuery(sql, parameters);
  if (!rows.ok()) throw std::runtime_error(Describe(rows.status()) + "\nin: " + sql);
  return *std::move(rows);
}

std::string Connection::Value(const std::string& sql, const std::vector<PgText>& parameters) {
  const PgRows rows = Query(sql, parameters);
  if (rows.size() != 1 || rows.columns.size() != 1) {
    throw std::runtime_error("not one value: " + sql);
  }
  return rows.at(0, 0);
}

absl::StatusOr<std::string> Connection::CopyIn(const std::string& sql, std::string_view data) {
  Result begin(PQexec(raw(), sql.c_str()));
  if (PQresultStatus(begin.get()) != PGRES_COPY_IN) return ErrorOf(raw(), begin.get());
  constexpr size_t kChunkBytes = 1 << 20;
  for (size_t at = 0; at < data.size(); at += kChunkBytes) {
    const std::string_view chunk = data.substr(at, kChunkBytes);
    if (PQputCopyData(raw(), chunk.data(), static_cast<int>(chunk.size())) != 1) break;
  }
  PQputCopyEnd(raw(), nullptr);
  Result end(PQgetResult(raw()));
  const bool succeeded = Succeeded(end.get());
  absl::StatusOr<std::string> tag =
      succeeded ? absl::StatusOr<std::string>(PQcmdStatus(end.get())) : ErrorOf(raw(), end.get());
  while (Result(PQgetResult(raw())) != nullptr) {
  }
  return tag;
}

}  // namespace test_support
}  // namespace meridian
