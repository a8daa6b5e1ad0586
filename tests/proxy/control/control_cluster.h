// What the tests of control threads share: logins, replicas, waiting.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sharding/admin/shard_access.h"
#include "tests/support/child_process.h"
#include "tests/support/pg_cluster.h"

namespace meridian {

inline NodeAddress AddressOf(const PgCluster& cluster) { return {"127.0.0.1", cluster.port()}; }

inline PgTarget TargetOn(const PgCluster& cluster, std::string user = "postgres",
                         std::string dbname = "postgres") {
  PgTarget target;
  target.address = AddressOf(cluster);
  target.dbname = std::move(dbname);
  target.user = std::move(user);
  target.connect_timeout = std::chrono::milliseconds(1500);
  return target;
}

// The login of ShardAccess: user postgres, database `dbname`.
inline ShardAccess ControlAccess(std::string dbname = "postgres") {
  ShardAccess access;
  access.login.dbname = std::move(dbname);
  access.login.user = "postgres";
  access.login.connect_timeout = std::chrono::milliseconds(1500);
  return access;
}

// A streaming replica of `primary`: the data directory of a new cluster, replaced by a base backup.
inline std::unique_ptr<PgCluster> MakeReplica(const PgCluster& primary) {
  auto replica = std::make_unique<PgCluster>();
  replica->Stop();
  const std::string conf = replica->data_dir() + "/postgresql.auto.conf";
  std::ifstream in(conf);
  const std::string own((std::istreambuf_iterator<char>(in)), {});
  std::filesystem::remove_all(replica->data_dir());
  const char* bindir = std::getenv("PG_BINDIR");
  const std::string program =
      std::string(bindir == nullptr ? "/usr/lib/postgresql/15/bin" : bindir) + "/pg_basebackup";
  RunProgram(Unprivileged({program, "--pgdata=" + replica->data_dir(), "--no-sync",
                           "--dbname=" + primary.ConnInfo(), "--checkpoint=fast",
                           "--write-recovery-conf"}),
             replica->log_file());
  // Its own port after the primary's: the last line of a name wins.
  std::ofstream(conf, std::ios::app) << own;
  replica->Start();
  return replica;
}

// Whether the condition holds within the time.
template <typename Condition>
bool Eventually(Condition condition, std::chrono::seconds time = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace meridian
