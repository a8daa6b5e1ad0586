// The configuration: what meridian.toml says, checked, with defaults filled in. A plain value; the
// meaning, unit and default of each member stand in proxy/config/settings.cc and are documented for
// users in docs/configuration.md. Loaded in start-up code and on SIGHUP, not thread-safe.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/log.h"

namespace meridian {

enum class PoolMode : uint8_t { kTransaction, kSession };
enum class ClientAuth : uint8_t { kTrust, kScramSha256 };

// Which replicas may serve a session's reads; see docs/replicas.md.
enum class ReadConsistency : uint8_t { kStrong, kReadYourWrites, kMonotonic, kBounded, kEventual };
inline constexpr std::array<std::string_view, 5> kReadConsistencyNames = {
    "strong", "read_your_writes", "monotonic", "bounded", "eventual"};

struct DatabaseConfig {
  std::string name;
  PoolMode pool_mode = PoolMode::kTransaction;  // unless given: the top level's
  int pool_size = 0;                            // unless given: the top level's
  ReadConsistency read_consistency = ReadConsistency::kReadYourWrites;  // ... replicas'

  friend bool operator==(const DatabaseConfig&, const DatabaseConfig&) = default;
};

struct CatalogConfig {
  std::string host = "localhost";
  int port = 5432;
  std::string dbname;
  std::string user = "meridian";
  std::string password;
  std::string passfile;

  friend bool operator==(const CatalogConfig&, const CatalogConfig&) = default;
};

struct ControlConfig {
  std::string user;  // empty: catalog.user
  std::chrono::milliseconds catalog_poll_interval = std::chrono::seconds(5);
  std::chrono::milliseconds node_check_interval{250};
  std::chrono::milliseconds schema_poll_interval = std::chrono::seconds(5);
  std::chrono::milliseconds role_poll_interval = std::chrono::seconds(10);
  std::chrono::milliseconds transaction_recovery_interval = std::chrono::seconds(2);
  std::chrono::milliseconds mover_lease = std::chrono::seconds(6);  // 0: never the mover
  std::chrono::milliseconds rebalance_interval = std::chrono::minutes(1);

  friend bool operator==(const ControlConfig&, const ControlConfig&) = default;
};

struct ReplicaConfig {
  ReadConsistency read_consistency = ReadConsistency::kReadYourWrites;
  std::chrono::milliseconds max_staleness = std::chrono::seconds(1);  // of kBounded
  std::chrono::milliseconds max_lag = std::chrono::seconds(30);
  std::chrono::milliseconds wait{0};  // 0: not at all
  std::string zone;                   // of this proxy; empty: none is preferred

  friend bool operator==(const ReplicaConfig&, const ReplicaConfig&) = default;
};

// What is preferred among replicas.
struct NodeConfig {
  std::string address;  // as in the shard map: host:port
  std::string zone;
  int weight = 1;

  friend bool operator==(const NodeConfig&, const NodeConfig&) = default;
};

struct AuthConfig {
  ClientAuth tcp = ClientAuth::kScramSha256;
  ClientAuth unix_socket = ClientAuth::kScramSha256;

  friend bool operator==(const AuthConfig&, const AuthConfig&) = default;
};

struct ServerConfig {
  std::string password_file;  // empty: none; read it with proxy/config/password_file.h

  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

struct UserConfig {
  std::string name;  // of a role
  ReadConsistency read_consistency = ReadConsistency::kReadYourWrites;

  friend bool operator==(const UserConfig&, const UserConfig&) = default;
};

struct AdminUser {
  std::string name;
  std::string password;  // a SCRAM verifier (IsScramVerifier) or plain

  friend bool operator==(const AdminUser&, const AdminUser&) = default;
};

struct MetricsConfig {
  std::string listen = "localhost:9640";  // empty: no endpoint

  friend bool operator==(const MetricsConfig&, const MetricsConfig&) = default;
};

struct LogConfig {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  std::string file;  // empty: standard error
  std::chrono::milliseconds slow_statement{0};

  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

struct DebugConfig {
  std::string fault_points;  // see metrics/fault_points.h

  friend bool operator==(const DebugConfig&, const DebugConfig&) = default;
};

struct Config {
  std::vector<std::string> listen_hosts = {"localhost"};  // empty: no TCP
  int listen_port = 6432;
  std::string unix_socket_dir = "/tmp";  // empty: no unix socket
  int workers = 0;                       // 0: one per core

  PoolMode pool_mode = PoolMode::kTransaction;
  int pool_size = 20;
  int max_client_connections = 10'000;

  std::chrono::milliseconds login_timeout = std::chrono::seconds(60);
  std::chrono::milliseconds queue_timeout = std::chrono::seconds(120);
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(15);
  std::chrono::milliseconds failover_timeout = std::chrono::seconds(10);     // 0: off
  std::chrono::milliseconds client_idle_timeout{0};                          // 0: off
  std::chrono::milliseconds server_idle_timeout = std::chrono::minutes(10);  // 0: off
  std::chrono::milliseconds server_lifetime = std::chrono::hours(1);         // 0: off
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(30);

  int64_t max_statement_size = 64 * 1024;       // bytes that the router parses
  int64_t max_message_size = int64_t{1} << 30;  // bytes

  std::vector<DatabaseConfig> databases;
  CatalogConfig catalog;
  ControlConfig control;
  ReplicaConfig replicas;
  AuthConfig auth;
  ServerConfig server;
  std::vector<AdminUser> admin_users;
  std::vector<NodeConfig> nodes;
  std::vector<UserConfig> users;
  MetricsConfig metrics;
  LogConfig log;
  DebugConfig debug;

  // Null if there is none of this name.
  const DatabaseConfig* FindDatabase(std::string_view name) const;
  const AdminUser* FindAdminUser(std::string_view name) const;
  const NodeConfig* FindNode(std::string_view address) const;
  const UserConfig* FindUser(std::string_view name) const;

  friend bool operator==(const Config&, const Config&) = default;
};

// Reads and checks a file. Errors are InvalidArgument with a message that begins with
// `file:line:column: ` and names the setting; NotFound or PermissionDenied when the file cannot be
// read. Files that the settings name are not opened.
[[nodiscard]] absl::StatusOr<Config> LoadConfig(const std::string& path);
// The same of a text; `path` is for messages.
[[nodiscard]] absl::StatusOr<Config> ParseConfig(std::string_view text, std::string_view path);

// The virtual database of the admin SQL; no [[database]] may have this name.
inline constexpr std::string_view kAdminDatabase = "meridian";

// What a reload of `loaded` leads to: the running configuration with the reloadable settings of the
// new one, and the names of the start-only settings that differ and so wait for a restart
// (`workers`, `database`...). A database that the new file adds or drops also waits.
struct ConfigReload {
  Config config;
  std::vector<std::string> needs_restart;
};
[[nodiscard]] ConfigReload Diff(const Config& running, const Config& loaded);

}  // namespace meridian
