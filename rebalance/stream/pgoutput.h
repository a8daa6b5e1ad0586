// The messages of the output plugin pgoutput, protocol version 1 with logical messages
// (PostgreSQL documentation, "Logical Replication Message Formats";
// src/backend/replication/logical/ proto.c). Pure.
//
// What is read are views into the bytes of the message. A server is input from outside: what is
// malformed is an error, never a crash.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "sharding/lsn.h"

namespace meridian::pgoutput {

struct Begin {
  Lsn commit_lsn = 0;  // of the transaction's commit record
};

struct Commit {
  Lsn commit_lsn = 0;
  Lsn end_lsn = 0;             // behind the commit record: what is confirmed
  int64_t commit_time_us = 0;  // since 2000-01-01, as PostgreSQL counts
};

// The transaction was itself applied from elsewhere; comes behind Begin.
struct Origin {
  std::string_view name;
};

struct Column {
  bool in_identity = false;  // part of the replica identity
  std::string_view name;
};

// Comes before the first change of a relation, and again when it has changed.
struct Relation {
  uint32_t id = 0;
  std::string_view schema;
  std::string_view name;
  char identity = 'd';  // pg_class.relreplident
  std::vector<Column> columns;
};

struct Value {
  enum class Kind : uint8_t {
    kNull,
    kUnchanged,  // a large value (TOAST) that the UPDATE left as it was: not sent
    kText,
  };
  Kind kind = Kind::kNull;
  std::string_view text;
};
using Tuple = std::vector<Value>;  // one per column of the relation

struct Insert {
  uint32_t relation = 0;
  Tuple row;
};

struct Update {
  uint32_t relation = 0;
  // Empty: the identity's columns have not changed. Else the old row; only those columns hold
  // values unless the identity is FULL.
  Tuple old_row;
  Tuple row;
};

struct Delete {
  uint32_t relation = 0;
  Tuple old_row;
};

struct Truncate {
  std::vector<uint32_t> relations;
};

// pg_logical_emit_message.
struct Message {
  bool transactional = false;
  Lsn lsn = 0;
  std::string_view prefix;
  std::string_view content;
};

// A message that says nothing about rows (Type).
struct Ignored {};

using Event = std::variant<Begin, Commit, Origin, Relation, Insert, Update, Delete, Truncate,
                           Message, Ignored>;

// 08P01 for what is not such a message.
absl::StatusOr<Event> Read(std::string_view bytes);

}  // namespace meridian::pgoutput
