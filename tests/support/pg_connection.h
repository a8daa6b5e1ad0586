// A connection of a test to a PostgreSQL server (or to Meridian) through libpq.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meridian {
// Names of their own for the linker: the product may have a Connection too.
inline namespace test_support {

// A value in text format; nullopt: NULL.
using PgText = std::optional<std::string>;

struct PgRows {
  std::vector<std::string> columns;
  std::vector<std::vector<PgText>> rows;
  std::string tag;  // "SELECT 2"

  size_t size() const { return rows.size(); }
  bool IsNull(size_t row, size_t column) const { return !rows.at(row).at(column).has_value(); }
  // Throws where the value is NULL or there is none.
  const std::string& at(size_t row, size_t column) const { return rows.at(row).at(column).value(); }
};

// One thread at a time. Functions that throw do so by std::runtime_error, which gtest reports as a
// failure of the test.
class Connection {
 public:
  // `conninfo`: a libpq connection string or URI. Open: the server's error, with its SQLSTATE
  // where libpq tells it (08006 otherwise). The constructor throws.
  static absl::StatusOr<Connection> Open(const std::string& conninfo);
  explicit Connection(const std::string& conninfo);

  // Without parameters: the simple protocol (several statements allowed, the last one's rows are
  // given); with parameters ($1...): the extended protocol, text format, types left to the server.
  // Throws on an error.
  PgRows Query(const std::string& sql, const std::vector<PgText>& parameters = {});
  // The server's error as a status that ToSqlError reads (sharding/sql_status.h).
  absl::StatusOr<PgRows> TryQuery(const std::string& sql,
                                  const std::vector<PgText>& parameters = {});
  // The only value of the only row. Throws where it is NULL or not alone.
  std::string Value(const std::string& sql, const std::vector<PgText>& parameters = {});

  // COPY ... FROM STDIN: `data` is everything between CopyInResponse and CopyDone.
  absl::StatusOr<std::string> CopyIn(const std::string& sql, std::string_view data);

  // For whatever this class has no function for.
  PGconn* raw() { return conn_.get(); }

 private:
  struct Finish {
    void operator()(PGconn* conn) const { PQfinish(conn); }
  };
  explicit Connection(PGconn* conn) : conn_(conn) {}

  std::unique_ptr<PGconn, Finish> conn_;
};

}  // namespace test_support
}  // namespace meridian
