// What a Statement knows about its route before its values are known: made by the planner, run by
// Decide.
#pragma once

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "router/plan/key_set.h"
#include "router/plan/operand.h"
#include "router/values.h"
#include "sharding/shard_map.h"

namespace meridian {

// A place in the statement where a sharded table is read or written.
struct ShardedReference {
  TableName table;
  size_t distribution = 0;
  KeySet keys;  // a superset of the keys of the rows that matter
};

// The rows of INSERT ... VALUES into a sharded table.
struct InsertRows {
  TableName table;
  size_t distribution = 0;
  std::vector<std::string> key_columns;
  // pg_attribute.atttypmod of the key columns.
  std::vector<int32_t> modifiers;
  // Per row, the values of the key columns, in the distribution's order.
  std::vector<absl::InlinedVector<Operand, 1>> keys;
  // Which VALUES starts the rows (0: the first; a table may be called values).
  size_t values_word = 0;
  // Why the rows may not go to several shards; ok: they may.
  absl::Status split_refusal;
};

struct AssignedKey {
  TableName table;
  std::string column;
  KeyType type = KeyType::kBigint;
  int32_t modifier = -1;
  Operand operand;
};

// An UPDATE after which all its rows have the same key; see KeyMove.
struct MovedRows {
  std::vector<Operand> key;  // in the distribution's order
  std::string take_sql;
  std::string put_sql;
};

struct RouteProgram {
  enum class Kind : uint8_t {
    kSession,     // no shard: the session runs it
    kAnywhere,    // each shard gives the same answer
    kQuery,       // to the shards that its tables need
    kEverywhere,  // on all shards: `refusal` where several may not run it
    kCopyIn,
  };
  Kind kind = Kind::kAnywhere;

  std::vector<ShardedReference> references;
  std::optional<InsertRows> insert;
  // Something that lives on the default shard only: a local table, a sequence, an advisory lock,
  // LISTEN.
  bool needs_default_shard = false;
  // For messages: the first such thing.
  std::string default_shard_object;
  // What must be in one place for all sessions, whatever a session's hint: a lock, a sequence,
  // LISTEN. Empty: none.
  std::string default_shard_only;
  // A function that may read or write anything: right only where another reason has chosen one
  // shard.
  std::string unknown_function;
  // A function that no schema has, as far as known: PostgreSQL would refuse the statement.
  std::string missing_function;
  // Writes a table that every shard holds.
  std::string written_reference_table;
  // Statement::draws.
  bool draws = false;
  // Why it cannot run on each shard alike (a reference table written with values that differ per
  // shard).
  absl::Status everywhere_refusal;

  enum class Several : uint8_t { kRefuse, kConcat, kSum };
  Several several = Several::kRefuse;
  // Why several shards may not answer. Set where `several` is kRefuse.
  absl::Status several_refusal;
  // Keys that an UPDATE or MERGE gives to rows.
  std::vector<AssignedKey> assigned;
  // Where they may change the shard: then `references` are the rows before and after.
  std::optional<MovedRows> move;
  // Refused whatever the values and hints, where the map has several shards.
  absl::Status refusal;
  // PostgreSQL refuses it outside of a transaction block: LOCK.
  bool needs_transaction = false;
  // Nobody knows what it touches: refused but where a shard is chosen.
  absl::Status opaque_refusal;
  bool standard_conforming_strings = true;
};

}  // namespace meridian
