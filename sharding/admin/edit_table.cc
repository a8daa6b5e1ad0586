#include <fmt/format.h>

#include <set>

#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

absl::Status RequireLocal(MapDraft& draft, const TableName& name) {
  const DraftTable* table = draft.FindTable(name);
  if (table == nullptr) return absl::OkStatus();
  if (table->kind == MappedTable::Kind::kReference) {
    return SqlStatus(
        sqlstate::kDuplicateObject, fmt::format("{} is a reference table", name.ToString()),
        fmt::format("DROP REFERENCE TABLE {} makes it a local table.", name.ToString()));
  }
  return SqlStatus(
      sqlstate::kDuplicateObject,
      fmt::format("{} is a table of distribution \"{}\"", name.ToString(), table->distribution),
      fmt::format("ALTER DISTRIBUTION {} DETACH TABLE {} makes it a local table.",
                  QuoteIdentifier(table->distribution), name.ToString()));
}

absl::Status RequireAnyShard(const MapDraft& draft) {
  if (!draft.shards.empty()) return absl::OkStatus();
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState, "there is no shard yet",
                   "Create the shards first: CREATE SHARD name OPTIONS (HOST 'host:port').");
}

void Erase(MapDraft& draft, const DraftTable* table) {
  draft.tables.erase(draft.tables.begin() + (table - draft.tables.data()));
}

}  // namespace

absl::Status Apply(const AttachTable& command, MapDraft& draft) {
  auto distribution = RequireDistribution(draft, command.distribution);
  if (!distribution.ok()) return distribution.status();
  if (absl::Status rests = RequireAtRest(**distribution); !rests.ok()) return rests;
  if (absl::Status local = RequireLocal(draft, command.table); !local.ok()) return local;
  const size_t expected = (*distribution)->columns.size();
  if (command.key_columns.size() != expected) {
    return SqlStatus(sqlstate::kInvalidParameterValue,
                     fmt::format("distribution \"{}\" has {} key columns, {} are given",
                                 command.distribution, expected, command.key_columns.size()),
                     "SHOW DISTRIBUTIONS shows their types.");
  }
  const std::set<std::string> distinct(command.key_columns.begin(), command.key_columns.end());
  if (distinct.size() != expected) {
    return SqlStatus("42701", "a column is named twice in the distribution key");
  }
  draft.tables.push_back(
      {command.table, MappedTable::Kind::kSharded, command.distribution, command.key_columns});
  return absl::OkStatus();
}

absl::Status Apply(const DetachTable& command, MapDraft& draft) {
  auto distribution = RequireDistribution(draft, command.distribution);
  if (!distribution.ok()) return distribution.status();
  if (absl::Status rests = RequireAtRest(**distribution); !rests.ok()) return rests;
  const DraftTable* table = draft.FindTable(command.table);
  if (table == nullptr || table->kind != MappedTable::Kind::kSharded ||
      table->distribution != command.distribution) {
    return SqlStatus(sqlstate::kUndefinedObject,
                     fmt::format("{} is no table of distribution \"{}\"", command.table.ToString(),
                                 command.distribution),
                     "SHOW TABLES lists the sharded tables.");
  }
  Erase(draft, table);
  return absl::OkStatus();
}

absl::Status Apply(const CreateReferenceTable& command, MapDraft& draft) {
  if (absl::Status local = RequireLocal(draft, command.table); !local.ok()) return local;
  if (absl::Status shard = RequireAnyShard(draft); !shard.ok()) return shard;
  draft.tables.push_back({command.table, MappedTable::Kind::kReference, {}, {}});
  return absl::OkStatus();
}

absl::Status Apply(const DropReferenceTable& command, MapDraft& draft) {
  const DraftTable* table = draft.FindTable(command.table);
  if (table == nullptr || table->kind != MappedTable::Kind::kReference) {
    return SqlStatus(sqlstate::kUndefinedObject,
                     fmt::format("{} is no reference table", command.table.ToString()),
                     "SHOW TABLES lists the reference tables.");
  }
  Erase(draft, table);
  return absl::OkStatus();
}

}  // namespace meridian
