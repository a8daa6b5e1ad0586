#include "sharding/admin/table_work.h"

#include <fmt/format.h>

#include "sharding/admin/schema_dump.h"
#include "sharding/admin/table_check.h"
#include "sharding/catalog/plain_text.h"
#include "sharding/range_sql.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Reading a whole table may take long; what must not is waiting for locks, which the server limits.
constexpr std::chrono::hours kStatementTimeout{1};

// Rows print the same on all shards, row security hides none (or is an error), and a lock that is
// held here does not end before the command.
std::string SessionSql() {
  return PlainTextScript() + R"(; SET statement_timeout = 0; SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '1h'; SET row_security = off;
SET standard_conforming_strings = on)";
}

absl::Status OnShard(const WorkShard& shard, const std::string& what, const absl::Status& status) {
  SqlError error = ToSqlError(status);
  error.message =
      fmt::format("cannot {} on shard \"{}\": {}", what, shard.shard.name, error.message);
  error.position = 0;
  return ToStatus(error);
}

absl::Status CreateTable(WorkShard& shard, const TableName& table, const std::string& dump) {
  absl::Status created = InTransaction(shard.connection(), "BEGIN", [&]() -> absl::Status {
    return shard.connection().Script(dump).status();
  });
  if (created.ok()) return shard.connection().Script(SessionSql()).status();
  SqlError error =
      ToSqlError(OnShard(shard, fmt::format("create table {}", table.ToString()), created));
  if (error.hint.empty()) {
    error.hint =
        "The statements are pg_dump's. Create what they need (types, functions, roles, referenced "
        "tables) on that shard first, or create the table there yourself.";
  }
  return ToStatus(error);
}

using Definitions = std::vector<std::optional<TableDefinition>>;

absl::StatusOr<Definitions> ReadDefinitions(absl::Span<WorkShard> shards, const TableName& table) {
  Definitions definitions;
  for (WorkShard& shard : shards) {
    auto definition = ReadTableDefinition(shard.connection(), table);
    if (!definition.ok()) {
      return OnShard(shard, fmt::format("read the definition of {}", table.ToString()),
                     definition.status());
    }
    definitions.push_back(*std::move(definition));
  }
  return definitions;
}

absl::StatusOr<size_t> FirstWithTable(const Definitions& definitions, const TableName& table) {
  for (size_t i = 0; i < definitions.size(); ++i) {
    if (definitions[i]) return i;
  }
  return SqlStatus(sqlstate::kUndefinedTable,
                   fmt::format("table {} does not exist on any shard", table.ToString()),
                   "Create it first, on one shard at least; without a schema, a table is looked "
                   "for in \"public\".");
}

absl::StatusOr<uint64_t> CountOutside(WorkShard& shard, const TableName& table,
                                      const std::string& condition) {
  auto count = shard.connection().Query(
      fmt::format("SELECT count(*) FROM {} WHERE {}", table.ToString(), OutsideSql(condition)));
  if (!count.ok()) {
    return OnShard(shard, fmt::format("look at the rows of {}", table.ToString()), count.status());
  }
  return count->Number(0, 0);
}

absl::Status RowsElsewhere(const WorkShard& shard, const TableName& table, uint64_t rows,
                           const Distribution& distribution) {
  return SqlStatus(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("{} {} of {} on shard \"{}\" {} to other shards", rows,
                  rows == 1 ? "row" : "rows", table.ToString(), shard.shard.name,
                  rows == 1 ? "belongs" : "belong"),
      fmt::format(
          "Route all key ranges of distribution \"{}\" to shard \"{}\" (a distribution that "
          "is created with SHARDS ({}) is so), or move the rows first.",
          distribution.name(), shard.shard.name, QuoteIdentifier(shard.shard.name)));
}

// Whether every key is the shard's: then no row need be looked at.
bool OwnsAll(const Distribution& distribution, ShardIndex shard) {
  return distribution.AllOwners() == ShardSet::Of(shard);
}

}  // namespace

absl::StatusOr<WorkShards> ConnectPrimaries(const ShardAccess& access, const ShardMap& map,
                                            const ShardSet& which) {
  WorkShards shards;
  for (uint16_t i = 0; i < map.shards().size(); ++i) {
    if (!which.Contains(ShardIndex{i})) continue;
    const Shard& shard = map.shards()[i];
    auto primary = ConnectPrimary(access, shard);
    if (!primary.ok()) return primary.status();
    shards.push_back({ShardIndex{i}, shard, *std::move(primary)});
    shards.back().connection().set_statement_timeout(kStatementTimeout);
    auto ready = shards.back().connection().Script(SessionSql());
    if (!ready.ok()) return ready.status();
  }
  return shards;
}

absl::StatusOr<TableDefinition> EnsureTable(const ShardAccess& access, absl::Span<WorkShard> shards,
                                            const TableName& table) {
  auto definitions = ReadDefinitions(shards, table);
  if (!definitions.ok()) return definitions.status();
  auto first = FirstWithTable(*definitions, table);
  if (!first.ok()) return first.status();
  const TableDefinition model = *(*definitions)[*first];
  if (absl::Status kind = CheckTableKind(table, model); !kind.ok()) return kind;
  std::string dump;
  for (size_t i = 0; i < shards.size(); ++i) {
    if ((*definitions)[i]) continue;
    if (dump.empty()) {
      WorkShard& source = shards[*first];
      auto text = DumpTable(access, source.shard, source.primary, table, model);
      if (!text.ok()) return text.status();
      dump = *std::move(text);
    }
    if (absl::Status made = CreateTable(shards[i], table, dump); !made.ok()) return made;
  }
  definitions = ReadDefinitions(shards, table);
  if (!definitions.ok()) return definitions.status();
  for (size_t i = 0; i < shards.size(); ++i) {
    if (!(*definitions)[i]) {
      return SqlStatus(sqlstate::kUndefinedTable,
                       fmt::format("table {} was dropped meanwhile", table.ToString()));
    }
    absl::Status same = CheckSameDefinition(table, shards[*first].shard.name, model,
                                            shards[i].shard.name, *(*definitions)[i]);
    if (!same.ok()) return same;
  }
  return model;
}

absl::Status LockForCheck(WorkShard& shard, const TableName& table) {
  auto locked = shard.connection().Script(
      fmt::format("BEGIN; LOCK TABLE {} IN SHARE MODE", table.ToString()));
  if (locked.ok()) return absl::OkStatus();
  SqlError error =
      ToSqlError(OnShard(shard, fmt::format("lock table {}", table.ToString()), locked.status()));
  if (error.sqlstate == "55P03") error.hint = "A transaction that writes it must end first.";
  return ToStatus(error);
}

absl::Status CheckOwnership(absl::Span<WorkShard> shards, const TableName& table,
                            const std::vector<std::string>& key_columns,
                            const Distribution& distribution) {
  std::vector<std::string> columns_sql;
  for (const std::string& column : key_columns) columns_sql.push_back(QuoteIdentifier(column));
  for (WorkShard& shard : shards) {
    if (OwnsAll(distribution, shard.index)) continue;
    if (absl::Status locked = LockForCheck(shard, table); !locked.ok()) return locked;
    auto rows = CountOutside(shard, table, OwnedSql(distribution, shard.index, columns_sql));
    if (!rows.ok()) return rows.status();
    if (*rows > 0) return RowsElsewhere(shard, table, *rows, distribution);
  }
  return absl::OkStatus();
}

absl::Status CheckEmpty(absl::Span<WorkShard> shards, const TableName& table,
                        const std::string& hint) {
  for (WorkShard& shard : shards) {
    auto definition = ReadTableDefinition(shard.connection(), table);
    if (!definition.ok()) return definition.status();
    if (!*definition) continue;
    if (absl::Status locked = LockForCheck(shard, table); !locked.ok()) return locked;
    auto any =
        shard.connection().Query(fmt::format("SELECT EXISTS (SELECT FROM {})", table.ToString()));
    if (!any.ok()) {
      return OnShard(shard, fmt::format("look at the rows of {}", table.ToString()), any.status());
    }
    if (any->Text(0, 0) != "t") continue;
    return SqlStatus(
        sqlstate::kObjectNotInPrerequisiteState,
        fmt::format("table {} has rows on shard \"{}\"", table.ToString(), shard.shard.name), hint);
  }
  return absl::OkStatus();
}

}  // namespace meridian
