// COPY ... FROM STDIN into a sharded table: what the splitter must know, from the statement and the
// schema.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sharding/client_encoding.h"

namespace meridian {

enum class CopyFormat : uint8_t { kText, kCsv, kBinary };

struct CopySpec {
  CopyFormat format = CopyFormat::kText;
  size_t distribution = 0;  // index into ShardMap::distributions()
  // For each key column of the distribution, its place (from 0) among the columns that a row
  // carries.
  std::vector<size_t> key_fields;
  size_t field_count = 0;
  // Of each key column: pg_attribute.atttypmod.
  std::vector<int32_t> modifiers;

  // Options as COPY documents them.
  char delimiter = '\t';
  char quote = '"';
  char escape = '"';
  std::string null_text = "\\N";
  bool header = false;
  // FORCE_NULL / FORCE_NOT_NULL, by key column.
  std::vector<bool> force_null;
  std::vector<bool> force_not_null;
  // ENCODING; nullopt: not given, or a name that the server refuses.
  std::optional<ClientEncoding> encoding;
};

}  // namespace meridian
