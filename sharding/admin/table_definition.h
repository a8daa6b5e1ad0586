// A table as one shard has it, as far as sharding it depends on that.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sharding/catalog/pg_connection.h"
#include "sharding/shard_map.h"

namespace meridian {

struct ColumnDefinition {
  std::string name;
  std::string type;  // format_type: "character varying(20)"
  uint32_t type_oid = 0;
  bool not_null = false;
  std::string collation;  // with the locale behind it; empty: the type has none
  bool deterministic = true;
  bool byte_order = false;  // compares by bytes: C, POSIX
  bool generated = false;

  // What must agree between shards.
  bool SameAs(const ColumnDefinition& other) const {
    return name == other.name && type == other.type && collation == other.collation &&
           not_null == other.not_null && generated == other.generated;
  }
};

// A unique index or an exclusion constraint.
struct UniqueDefinition {
  std::string name;
  std::vector<std::string> columns;  // an expression is an empty string
};

struct ForeignKeyDefinition {
  std::string name;
  TableName target;
  std::vector<std::string> columns;
  std::vector<std::string> target_columns;
};

struct TableDefinition {
  uint32_t oid = 0;
  char kind = 'r';  // pg_class.relkind
  char persistence = 'p';
  bool is_partition = false;
  bool has_children = false;  // by inheritance or partitions
  std::string encoding;       // of the database
  std::vector<ColumnDefinition> columns;
  std::vector<UniqueDefinition> uniques;
  std::vector<ForeignKeyDefinition> foreign_keys;

  const ColumnDefinition* FindColumn(std::string_view name) const;
};

// nullopt: there is no such relation. PostgreSQL 13 or newer.
absl::StatusOr<std::optional<TableDefinition>> ReadTableDefinition(PgConnection& connection,
                                                                   const TableName& table);

}  // namespace meridian
