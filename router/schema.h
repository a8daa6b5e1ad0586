// What the planner needs to know about the database's objects: a snapshot of the shards' system
// catalog.
//
// Immutable after Build; shared by all threads. Made by proxy/control from pg_class, pg_attribute,
// pg_proc, pg_depend of the default shard.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "router/values.h"
#include "sharding/shard_map.h"
#include "sharding/string_map.h"

namespace meridian {

struct Column {
  std::string name;
  Oid type = 0;
  int32_t modifier = -1;  // pg_attribute.atttypmod: of varchar(n), numeric(p, s), timestamp(p)
  bool generated =
      false;  // GENERATED ALWAYS AS (...) STORED: not in an INSERT's or COPY's default column list
  // DEFAULT and IDENTITY. kVarying: of the time, of chance, or of anything else that is not
  // immutable. kDividedSequence: each shard draws from a window of its own
  // (sharding/sequence_window.h).
  enum class Default : uint8_t { kNone, kImmutable, kVarying, kSequence, kDividedSequence };
  Default default_value = Default::kNone;

  friend bool operator==(const Column&, const Column&) = default;
};

struct Relation {
  enum class Kind : uint8_t { kTable, kView, kMaterializedView, kSequence, kForeignTable, kOther };
  TableName name;
  Kind kind = Kind::kTable;
  std::vector<Column> columns;  // in attnum order, dropped ones left out
  // Tables that a view reads, through all levels of views; the partitioned ancestor of a partition
  // is in `ancestors`.
  std::vector<TableName> reads;
  std::vector<TableName> ancestors;
  bool has_opaque_functions =
      false;  // a view that calls a function outside of pg_catalog or a volatile one, or locks rows
  // Not the same on a replica: unlogged tables (it has none), sequences (their log runs ahead),
  // foreign tables, and tables with such a partition.
  bool differs_on_replica = false;
  // Why deleting a row and inserting it elsewhere may not be what an UPDATE is ("has triggers");
  // empty: it is.
  std::string keeps_rows;

  friend bool operator==(const Relation&, const Relation&) = default;
};

// The worst (most volatile) of a name's overloads, since the planner does not resolve overloads.
enum class Volatility : uint8_t { kImmutable, kStable, kVolatile };

struct FunctionInfo {
  std::string schema;
  std::string name;
  Volatility volatility = Volatility::kVolatile;
  bool set_returning = false;
  bool aggregate = false;
  bool window = false;
  // A user's operator =, <, <=, > or >= of which a side may be a key: where it is the better match,
  // comparisons of keys mean it.
  bool compares_keys = false;

  friend bool operator==(const FunctionInfo&, const FunctionInfo&) = default;
};

class Schema {
 public:
  // `version` tells two snapshots apart; it only grows. `search_path_default` is the server's
  // default, for sessions that set none.
  static std::shared_ptr<const Schema> Build(uint64_t version, std::vector<Relation> relations,
                                             std::vector<FunctionInfo> functions,
                                             int server_version_num = 0);

  uint64_t version() const { return version_; }
  // The newest version among the shards, as in the setting of that name (150006); 0: not known.
  int server_version_num() const { return server_version_num_; }
  const std::vector<Relation>& relations() const { return relations_; }
  const std::vector<FunctionInfo>& functions() const { return functions_; }
  // nullptr: no such relation.
  const Relation* Find(std::string_view schema, std::string_view name) const;
  // As PostgreSQL resolves an unqualified name: pg_catalog first unless it is named in the path.
  const Relation* Resolve(const std::vector<std::string>& search_path, std::string_view name) const;
  // All overloads of the name in pg_catalog (`schema` empty or "pg_catalog") or in `schema`;
  // nullptr: none.
  const FunctionInfo* FindFunction(std::string_view schema, std::string_view name) const;
  // Whether a function of this name exists outside of pg_catalog (it may hide or overload the
  // built-in one).
  bool HasUserFunction(std::string_view name) const;
  bool HasUserComparison(std::string_view name) const;

 private:
  uint64_t version_ = 0;
  int server_version_num_ = 0;
  std::vector<Relation> relations_;
  std::vector<FunctionInfo> functions_;
  StringMap<StringMap<size_t>> relation_by_schema_and_name_;
  StringMap<StringMap<size_t>> function_by_schema_and_name_;
  StringMap<bool> user_function_names_;  // whether they compare keys
};

}  // namespace meridian
