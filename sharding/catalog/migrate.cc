#include "sharding/catalog/migrate.h"

#include <fmt/format.h>

#include "sharding/catalog/migrations.h"
#include "sharding/shard_map.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

absl::Status NewerCatalog(const std::string& schema, const std::string& version) {
  return SqlStatus(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("the catalog in schema \"{}\" has version {}, this Meridian knows only {}",
                  schema, version, Migrations().size()),
      "A newer Meridian has migrated the catalog: start that version here as well.");
}

absl::Status CreateBase(PgConnection& connection, const std::string& schema) {
  auto exists = connection.Query("SELECT 1 FROM pg_namespace WHERE nspname = $1", {{schema}});
  if (!exists.ok()) return exists.status();
  const std::string create = fmt::format(
      "{}CREATE TABLE IF NOT EXISTS migrations (version integer PRIMARY KEY, name text NOT NULL, "
      "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
      exists->rows() > 0 ? "" : fmt::format("CREATE SCHEMA {};", QuoteIdentifier(schema)));
  return connection.Script(create).status();
}

absl::StatusOr<std::string> Checksum(PgConnection& connection, const Migration& migration) {
  auto sum = connection.Query("SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')",
                              {{std::string(migration.sql)}});
  if (!sum.ok()) return sum.status();
  return sum->Text(0, 0);
}

absl::Status Apply(PgConnection& connection, const Migration& migration,
                   const std::string& checksum) {
  return InTransaction(connection, "BEGIN", [&]() -> absl::Status {
    if (auto ran = connection.Script(migration.sql); !ran.ok()) return ran.status();
    return connection
        .Query("INSERT INTO migrations (version, name, checksum) VALUES ($1, $2, $3)",
               {{std::to_string(migration.version)}, {std::string(migration.name)}, {checksum}})
        .status();
  });
}

absl::Status ApplyOrCheck(PgConnection& connection, const Migration& migration) {
  auto checksum = Checksum(connection, migration);
  if (!checksum.ok()) return checksum.status();
  auto applied = connection.Query("SELECT checksum FROM migrations WHERE version = $1",
                                  {{std::to_string(migration.version)}});
  if (!applied.ok()) return applied.status();
  if (applied->rows() == 0) return Apply(connection, migration, *checksum);
  if (applied->Text(0, 0) == *checksum) return absl::OkStatus();
  return SqlStatus(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("migration {} of the catalog was applied with another content", migration.name),
      "The catalog was made by a different build of Meridian: start that one, or restore the "
      "catalog.");
}

absl::Status MigrateLocked(PgConnection& connection, const std::string& schema) {
  if (absl::Status base = CreateBase(connection, schema); !base.ok()) return base;
  auto newest = connection.Query("SELECT max(version) FROM migrations WHERE version > $1",
                                 {{std::to_string(Migrations().size())}});
  if (!newest.ok()) return newest.status();
  if (newest->Get(0, 0)) return NewerCatalog(schema, newest->Text(0, 0));
  for (const Migration& migration : Migrations()) {
    if (absl::Status done = ApplyOrCheck(connection, migration); !done.ok()) return done;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PrepareCatalogSession(PgConnection& connection, const std::string& schema) {
  return connection
      .Query(
          "SELECT set_config('search_path', $1, false), set_config('lock_timeout', '10s', false), "
          "set_config('idle_in_transaction_session_timeout', '60s', false), "
          "set_config('default_transaction_isolation', 'read committed', false), "
          "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' "
          "THEN 'on' ELSE current_setting('synchronous_commit') END, false)",
          {{QuoteIdentifier(schema)}})
      .status();
}

absl::Status MigrateCatalog(PgConnection& connection, const std::string& schema) {
  const PgParameter lock = "meridian migrations of " + schema;
  auto locked = connection.Query("SELECT pg_advisory_lock(hashtextextended($1, 0))", {{lock}});
  if (!locked.ok()) return locked.status();
  absl::Status done = MigrateLocked(connection, schema);
  if (!connection.broken()) {
    connection.Query("SELECT pg_advisory_unlock(hashtextextended($1, 0))", {{lock}}).IgnoreError();
  }
  return done;
}

absl::Status CheckCatalogVersion(PgConnection& connection, const std::string& schema) {
  auto version = connection.Query("SELECT coalesce(max(version), 0) FROM migrations");
  const bool missing =
      !version.ok() && ToSqlError(version.status()).sqlstate == sqlstate::kUndefinedTable;
  if (!version.ok() && !missing) return version.status();
  const std::string found = missing ? "0" : version->Text(0, 0);
  const std::string expected = std::to_string(Migrations().size());
  if (found == expected) return absl::OkStatus();
  if (found.size() > expected.size() || (found.size() == expected.size() && found > expected)) {
    return NewerCatalog(schema, found);
  }
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                   fmt::format("the catalog in schema \"{}\" of {} has version {}, not {}", schema,
                               connection.name(), found, expected),
                   "Start Meridian with the right to migrate the catalog, and check the "
                   "catalog's address and schema.");
}

}  // namespace meridian
