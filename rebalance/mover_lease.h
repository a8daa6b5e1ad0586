// Who works on the moves: one proxy at a time, elected by a lease with a term in the catalog's
// table `mover`. A higher term wins; whatever the mover writes names its own.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "sharding/catalog/pg_connection.h"
#include "sharding/catalog/store.h"

namespace meridian {

// The SQLSTATE of what a mover tries whose term is over.
inline constexpr std::string_view kTermOver = "M0003";

// One thread; it has one of its own that renews.
class MoverLease {
 public:
  static constexpr std::chrono::milliseconds kLeaseMin{1'000};

  // `lease`: how long it lasts without being renewed; at least kLeaseMin.
  MoverLease(CatalogOptions catalog, std::string proxy, std::chrono::milliseconds lease);
  ~MoverLease();  // Release()
  MoverLease(const MoverLease&) = delete;
  MoverLease& operator=(const MoverLease&) = delete;

  // Whether this proxy is the mover now: it has a lease, or could get one.
  absl::StatusOr<bool> Acquire();
  // Gives it back, so that another need not wait for its end.
  void Release();

  // Of the lease that was acquired last.
  uint64_t term() const { return term_; }
  // The catalog's own: a part of the names of what moves make on the servers, which may have shards
  // of other catalogs in other databases.
  const std::string& tag() const { return tag_; }
  // Requested when that lease is lost: all that works under it must stop.
  std::stop_token lost() const { return lost_.get_token(); }

 private:
  void Renew(const std::stop_token& stop, uint64_t term,
             std::chrono::steady_clock::time_point until);
  // How long after its renewal was asked for the lease may be relied on.
  std::chrono::milliseconds Trusted() const;
  absl::StatusOr<PgConnection> Connect() const;
  std::string LeaseText() const;

  CatalogOptions catalog_;
  const std::string proxy_;
  const std::chrono::milliseconds lease_;
  uint64_t term_ = 0;
  std::string tag_;
  std::stop_source lost_;
  std::jthread renewal_;
};

// In a transaction: that the term is the mover's still, until the transaction's end. M0003.
absl::Status RequireTerm(PgConnection& catalog, uint64_t term);

// The same on a shard, where it keeps out who has a lower term (sql/shard/support.sql).
absl::Status ActAsMover(PgConnection& shard, uint64_t term);
// Ends what other connections of this one's application name still do there, in this database.
// 55006 where one does not end within five seconds.
absl::Status EndOtherMovers(PgConnection& shard, uint64_t term);
// What a move's connections to the shards are called, on its way there or back.
std::string MoverApplicationName(uint64_t move, bool back);

}  // namespace meridian
