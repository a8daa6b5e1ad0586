#include "sharding/catalog/store.h"

#include <fmt/format.h>

#include "sharding/catalog/catalog_rows.h"
#include "sharding/catalog/migrate.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using MapPointer = std::shared_ptr<const ShardMap>;

absl::Status Nothing(PgConnection&) { return absl::OkStatus(); }

constexpr char kSnapshot[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

Epoch ToEpoch(const PgResult& result) { return {result.Number(0, 0)}; }

absl::StatusOr<Epoch> ReadEpoch(PgConnection& connection) {
  auto epoch = connection.Query("SELECT epoch FROM epoch");
  if (!epoch.ok()) return epoch.status();
  if (epoch->rows() != 1) return SqlStatus("XX001", "the catalog's table \"epoch\" has no row");
  return ToEpoch(*epoch);
}

absl::StatusOr<CatalogRows> ReadRows(PgConnection& connection) {
  CatalogRows rows;
  for (const CatalogTable& table : CatalogTables()) {
    auto result = connection.Query(
        fmt::format("SELECT {} FROM {}", fmt::join(table.columns, ", "), table.name));
    if (!result.ok()) return result.status();
    auto& table_rows = rows.emplace_back(result->rows());
    for (size_t r = 0; r < result->rows(); ++r) {
      for (size_t c = 0; c < result->columns(); ++c) {
        const auto value = result->Get(r, c);
        table_rows[r].push_back(value ? std::optional<std::string>(*value) : std::nullopt);
      }
    }
  }
  return rows;
}

absl::StatusOr<MapDraft> ReadDraft(PgConnection& connection) {
  auto rows = ReadRows(connection);
  if (!rows.ok()) return rows.status();
  return DecodeDraft(*rows);
}

absl::Status WriteChange(PgConnection& connection, const MapDraft& before, const MapDraft& after,
                         const ChangeOrigin& origin, Epoch epoch, PendingChange& change) {
  const auto statements = Difference(EncodeDraft(before), EncodeDraft(after));
  if (statements.empty()) {
    auto map = BuildMap(epoch, before);
    if (map.ok()) change = {*std::move(map), {}};
    return map.status();
  }
  for (const CatalogStatement& statement : statements) {
    auto done = connection.Query(statement.sql, statement.parameters);
    if (!done.ok()) return done.status();
  }
  const Epoch next{epoch.value + 1};
  const std::string number = std::to_string(next.value);
  auto logged = connection.Query(
      "INSERT INTO changes (epoch, id, changed_by, command) "
      "VALUES ($1, gen_random_uuid(), $2, $3) RETURNING id",
      {{number}, {origin.who}, {origin.command}});
  if (!logged.ok()) return logged.status();
  auto raised = connection.Query(
      "WITH raised AS (UPDATE epoch SET epoch = $1) SELECT pg_notify($2, $1::bigint::text)",
      {{number}, {std::string(kEpochChannel)}});
  if (!raised.ok()) return raised.status();
  // What counts is what the next reader will see.
  auto stored = ReadDraft(connection);
  if (!stored.ok()) return stored.status();
  auto map = BuildMap(next, *stored);
  if (!map.ok()) return map.status();
  // Deferred constraints speak now rather than at COMMIT, where an error could be taken for a loss.
  if (auto checked = connection.Script("SET CONSTRAINTS ALL IMMEDIATE"); !checked.ok()) {
    return checked.status();
  }
  change = {*std::move(map), logged->Text(0, 0)};
  return absl::OkStatus();
}

absl::Status MakeChange(PgConnection& connection, const std::optional<Epoch>& expected,
                        const ChangeOrigin& origin, CatalogStore::Edit edit,
                        CatalogStore::Also also, PendingChange& change) {
  auto locked = connection.Query("SELECT epoch FROM epoch FOR UPDATE");
  if (!locked.ok()) return locked.status();
  if (locked->rows() != 1) return SqlStatus("XX001", "the catalog's table \"epoch\" has no row");
  const Epoch epoch = ToEpoch(*locked);
  if (expected && *expected != epoch) {
    return SqlStatus("40001", "the shard map was changed by another command meanwhile",
                     "Look at the map and run the command again.");
  }
  auto before = ReadDraft(connection);
  if (!before.ok()) return before.status();
  MapDraft after = *before;
  if (absl::Status edited = edit(after); !edited.ok()) return edited;
  if (absl::Status done = also(connection); !done.ok()) return done;
  // A draft that is no map is told in Meridian's words, before PostgreSQL's constraints.
  if (auto map = BuildMap(epoch, after); !map.ok()) return map.status();
  return WriteChange(connection, *before, after, origin, epoch, change);
}

}  // namespace

CatalogStore::CatalogStore(CatalogOptions options) : options_(std::move(options)) {}

absl::StatusOr<PgConnection*> CatalogStore::Connected() {
  if (!connection_ || connection_->broken()) {
    connection_.reset();
    auto connection = PgConnection::Connect(options_.target);
    if (!connection.ok()) return connection.status();
    absl::Status prepared = PrepareCatalogSession(*connection, options_.schema);
    if (!prepared.ok()) return prepared;
    connection_.emplace(*std::move(connection));
  }
  return &*connection_;
}

// The first attempt may meet a connection that died while it was idle.
template <typename Body>
auto CatalogStore::WithConnection(Body body) -> decltype(body(std::declval<PgConnection&>())) {
  const bool was_idle = connection_.has_value();
  auto connection = Connected();
  if (!connection.ok()) return connection.status();
  auto result = body(**connection);
  if (result.ok() || !was_idle || !connection_ || !connection_->broken()) return result;
  connection = Connected();
  if (!connection.ok()) return connection.status();
  return body(**connection);
}

absl::Status CatalogStore::Migrate() {
  return WithConnection([&](PgConnection& c) { return MigrateCatalog(c, options_.schema); });
}

absl::StatusOr<MapPointer> CatalogStore::Load() {
  return WithConnection([&](PgConnection& c) -> absl::StatusOr<MapPointer> {
    MapPointer map;
    absl::Status done = InTransaction(c, kSnapshot, [&]() -> absl::Status {
      absl::Status version = CheckCatalogVersion(c, options_.schema);
      if (!version.ok()) return version;
      auto epoch = ReadEpoch(c);
      if (!epoch.ok()) return epoch.status();
      auto draft = ReadDraft(c);
      if (!draft.ok()) return draft.status();
      auto built = BuildMap(*epoch, *draft);
      if (built.ok()) map = *std::move(built);
      return built.status();
    });
    if (!done.ok()) return done;
    return map;
  });
}

absl::StatusOr<Epoch> CatalogStore::LoadEpoch() {
  return WithConnection([](PgConnection& c) { return ReadEpoch(c); });
}

absl::StatusOr<MapPointer> CatalogStore::Change(const ChangeOrigin& origin, Edit edit) {
  return ChangeAlso(origin, edit, Nothing);
}

absl::StatusOr<MapPointer> CatalogStore::ChangeAlso(const ChangeOrigin& origin, Edit edit,
                                                    Also also) {
  return WithConnection(
      [&](PgConnection& c) { return TryChange(c, std::nullopt, origin, edit, also); });
}

absl::Status CatalogStore::Use(absl::FunctionRef<absl::Status(PgConnection&)> body) {
  return WithConnection(body);
}

absl::StatusOr<MapPointer> CatalogStore::ChangeAt(Epoch expected, const ChangeOrigin& origin,
                                                  Edit edit) {
  return WithConnection(
      [&](PgConnection& c) { return TryChange(c, expected, origin, edit, Nothing); });
}

absl::StatusOr<MapPointer> CatalogStore::TryChange(PgConnection& connection,
                                                   const std::optional<Epoch>& expected,
                                                   const ChangeOrigin& origin, Edit edit,
                                                   Also also) {
  if (auto begun = connection.Script("BEGIN"); !begun.ok()) return begun.status();
  PendingChange change;
  absl::Status done = CheckCatalogVersion(connection, options_.schema);
  if (done.ok()) done = MakeChange(connection, expected, origin, edit, also, change);
  if (!done.ok()) {
    RollBack(connection);
    return done;
  }
  auto committed = connection.Script("COMMIT");
  if (committed.ok()) {
    if (committed->tag() == "COMMIT") return change.map;
    return SqlStatus(sqlstate::kInternalError, "the catalog rolled the change back at its commit");
  }
  if (change.id.empty() || !IsConnectionLoss(committed.status())) {
    RollBack(connection);
    return committed.status();
  }
  return AfterLostCommit(std::move(change));
}

absl::StatusOr<MapPointer> CatalogStore::AfterLostCommit(PendingChange change) {
  connection_.reset();
  const auto unknown = [this](const absl::Status& why) {
    connection_.reset();  // so that nobody takes this for a change that may be tried again
    return SqlStatus(sqlstate::kTransactionResolutionUnknown,
                     "the catalog was lost at the commit: the change may have happened",
                     "Compare SHOW EPOCH and the map with what the command should have done.",
                     ToSqlError(why).message);
  };
  auto connection = Connected();
  if (!connection.ok()) return unknown(connection.status());
  bool found = false;
  absl::Status looked = InTransaction(**connection, "BEGIN", [&]() -> absl::Status {
    // The lost session may still be committing: it holds this lock until it is done.
    auto settled = (*connection)->Query("SELECT epoch FROM epoch FOR UPDATE");
    if (!settled.ok()) return settled.status();
    auto row = (*connection)->Query("SELECT 1 FROM changes WHERE id = $1", {{change.id}});
    if (row.ok()) found = row->rows() > 0;
    return row.status();
  });
  if (!looked.ok()) return unknown(looked);
  if (found) return change.map;
  return SqlStatus(sqlstate::kConnectionFailure,
                   "the catalog was lost before the commit: nothing was changed",
                   "Run the command again.");
}

absl::Status CatalogStore::LockShardWork() {
  return WithConnection([&](PgConnection& c) -> absl::Status {
    auto locked = c.Query("SELECT pg_try_advisory_lock(hashtextextended($1, 0))",
                          {{"meridian shard work of " + options_.schema}});
    if (!locked.ok()) return locked.status();
    if (locked->Get(0, 0) == "t") return absl::OkStatus();
    return SqlStatus(sqlstate::kObjectInUse,
                     "another command is creating tables or rows on the shards",
                     "Wait for it to end, then run the command again.");
  });
}

void CatalogStore::UnlockShardWork() {
  if (!connection_ || connection_->broken()) return;
  connection_
      ->Query("SELECT pg_advisory_unlock(hashtextextended($1, 0))",
              {{"meridian shard work of " + options_.schema}})
      .IgnoreError();
}

}  // namespace meridian
