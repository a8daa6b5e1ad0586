// A real PostgreSQL server for a test, in a temporary directory of its own.
//
// Started by the constructor, stopped and removed by the destructor; if the test process dies in
// whatever way, a guardian process does both. Runs as an unprivileged user where the test is root.
// Programs: $PG_BINDIR, or /usr/lib/postgresql/15/bin.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/pg_connection.h"

namespace meridian {
inline namespace test_support {

struct PgClusterOptions {
  // More lines of postgresql.conf; values as written there (quoted where needed). They override
  // the defaults: fsync off, wal_level logical, max_prepared_transactions 64.
  std::vector<std::pair<std::string, std::string>> settings = {};
  // The lines of pg_hba.conf; empty: everyone is trusted.
  std::vector<std::string> hba = {};
  // initdb for this cluster alone, so that its system identifier is its own. Otherwise it is a copy
  // of the process's first initdb (faster by a second).
  bool own_system_identifier = false;
};

// Encoding UTF8, locale C.UTF-8, superuser "postgres", databases postgres, template0, template1.
// One thread at a time. Errors throw std::runtime_error with the end of the server's log.
class PgCluster {
 public:
  enum class StopMode { kFast, kImmediate };

  explicit PgCluster(const PgClusterOptions& options = {});
  ~PgCluster();
  PgCluster(const PgCluster&) = delete;
  PgCluster& operator=(const PgCluster&) = delete;

  // On 127.0.0.1, and the name of the socket in socket_dir().
  uint16_t port() const { return port_; }
  const std::string& socket_dir() const { return dir_; }
  std::string data_dir() const { return dir_ + "/data"; }
  std::string log_file() const { return dir_ + "/log"; }
  pid_t pid() const { return pid_; }

  // A libpq connection string, by the unix socket.
  std::string ConnInfo(std::string_view dbname = "postgres",
                       std::string_view user = "postgres") const;
  Connection Connect(std::string_view dbname = "postgres",
                     std::string_view user = "postgres") const {
    return Connection(ConnInfo(dbname, user));
  }

  // The port stays the same over Stop and Start. Stop does nothing where the server is down.
  void Stop(StopMode mode = StopMode::kFast);
  void Start();

 private:
  void MakeDataDirectory(const PgClusterOptions& options);
  void WriteSettings(const PgClusterOptions& options);
  // False where the server ended before it accepted connections.
  bool TryStart();

  std::string dir_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace test_support
}  // namespace meridian
