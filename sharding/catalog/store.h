// The catalog: the shard map in schema `meridian` of a PostgreSQL database.
//
// A change is one transaction that holds the epoch's row: so changes of several proxies happen one
// after the other, each raises the epoch by exactly one, is logged, and is told to all by
// NOTIFY meridian_epoch.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sharding/catalog/map_draft.h"
#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

// The channel of NOTIFY; the payload is the new epoch.
inline constexpr std::string_view kEpochChannel = "meridian_epoch";

struct CatalogOptions {
  PgTarget target;
  std::string schema = "meridian";
};

// What the log of changes keeps.
struct ChangeOrigin {
  std::string who;      // the admin user
  std::string command;  // the command's text
};

// A change under way, between the lock of the epoch's row and COMMIT.
struct PendingChange {
  std::shared_ptr<const ShardMap> map;
  std::string id;  // of its row in the log of changes; empty: nothing has changed
};

// One thread at a time; several stores (in one or many processes) over one catalog agree. Connects
// when first used and again after a loss: a store whose catalog is down gives 08006 and recovers.
class CatalogStore {
 public:
  explicit CatalogStore(CatalogOptions options);

  // Brings the schema up to this binary's version: each missing migration in a transaction of its
  // own, under an advisory lock. 55000 where the catalog is newer than this binary, or where a
  // migration that was applied is not the one in this binary.
  absl::Status Migrate();

  // The whole map, from one snapshot. 55000 with a hint where the catalog has not been migrated or
  // is newer than this binary.
  absl::StatusOr<std::shared_ptr<const ShardMap>> Load();
  absl::StatusOr<Epoch> LoadEpoch();

  // Edits the current map in a transaction and gives the new one. `edit` may run more than once.
  // Its error ends the change without effect. An edit that changes nothing raises no epoch. A
  // commit whose answer was lost is looked up: the result is what happened, or 08007 (unknown) if
  // the catalog cannot be asked.
  using Edit = absl::FunctionRef<absl::Status(MapDraft&)>;
  absl::StatusOr<std::shared_ptr<const ShardMap>> Change(const ChangeOrigin& origin, Edit edit);
  // The same, but only while the catalog is at `expected`; 40001 otherwise. For commands that
  // looked at shards before.
  absl::StatusOr<std::shared_ptr<const ShardMap>> ChangeAt(Epoch expected,
                                                           const ChangeOrigin& origin, Edit edit);

  // The same; `also` runs in the transaction, before the change is written. Its error ends the
  // change without effect.
  using Also = absl::FunctionRef<absl::Status(PgConnection&)>;
  absl::StatusOr<std::shared_ptr<const ShardMap>> ChangeAlso(const ChangeOrigin& origin, Edit edit,
                                                             Also also);

  // Runs `body` on the connection, with search_path set to the schema; once more where an idle
  // connection turns out to be dead. It must leave no transaction open.
  absl::Status Use(absl::FunctionRef<absl::Status(PgConnection&)> body);

  // Takes the catalog-wide lock of commands that create tables or rows on shards; it is held by
  // this store's connection until Unlock or its loss. 55006 where another store holds it.
  absl::Status LockShardWork();
  void UnlockShardWork();

 private:
  absl::StatusOr<PgConnection*> Connected();
  // Runs body(PgConnection&), once more where an idle connection turns out to be dead.
  template <typename Body>
  auto WithConnection(Body body) -> decltype(body(std::declval<PgConnection&>()));
  absl::StatusOr<std::shared_ptr<const ShardMap>> TryChange(PgConnection& connection,
                                                            const std::optional<Epoch>& expected,
                                                            const ChangeOrigin& origin, Edit edit,
                                                            Also also);
  absl::StatusOr<std::shared_ptr<const ShardMap>> AfterLostCommit(PendingChange change);

  CatalogOptions options_;
  std::optional<PgConnection> connection_;
};

}  // namespace meridian
