// The values that a pool is described by.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/auth/scram_verifier.h"
#include "sharding/shard_map.h"

namespace meridian {

struct PoolKey {
  NodeAddress node;
  std::string database;
  std::string user;
  friend auto operator<=>(const PoolKey&, const PoolKey&) = default;
  std::string ToString() const;  // user@host:port/database
};

// How to log in as `user` where the server asks for it.
struct ServerCredentials {
  std::optional<ScramKeys> keys = std::nullopt;        // learnt from the client's own login
  std::optional<std::string> password = std::nullopt;  // from server.password_file
  // Whether the password may be sent as it is over TCP, too; over a unix socket it always may.
  bool allow_cleartext_tcp = false;

  friend bool operator==(const ServerCredentials&, const ServerCredentials&) = default;
};

// What a pool learnt from its newest login.
struct PoolProfile {
  // ParameterStatus of a fresh connection, in the server's order.
  std::vector<std::pair<std::string, std::string>> parameters;
  // What a fresh connection has of the settings that decide what statements mean and how
  // transactions run (ServerLogin): the defaults of this user in this database.
  std::vector<std::pair<std::string, std::string>> defaults;
  bool standby = false;  // the node was a replica (in_hot_standby, PostgreSQL 14 and later)

  friend bool operator==(const PoolProfile&, const PoolProfile&) = default;
};

struct PoolLimits {
  size_t pool_size = 20;                // per pool, over all workers
  uint64_t queue_timeout_us = 0;        // 0: never
  uint64_t connect_timeout_us = 0;      // connect and login; 0: never
  uint64_t server_idle_timeout_us = 0;  // 0: never
  uint64_t server_lifetime_us = 0;      // 0: never
};

// How a server connection comes back.
enum class Release : uint8_t {
  kClean,     // idle, outside of a transaction, its `settings` and `prepared` are right
  kReset,     // may hold session state: DISCARD ALL first, then it is idle
  kRollback,  // idle in a transaction: ROLLBACK first, then it is idle
  kDrop,      // in an unknown state: close it
};

// For SHOW POOLS, SHOW SERVERS and the metrics.
struct PoolStats {
  size_t active = 0;  // serves a session, or is being cleaned after one
  size_t idle = 0;
  size_t login = 0;
  size_t waiting = 0;
  uint64_t oldest_wait_us = 0;
  // Server connections dropped so far because the server sent what nobody had asked for.
  uint64_t unsolicited = 0;
};

}  // namespace meridian
