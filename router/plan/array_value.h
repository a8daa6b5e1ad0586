// The elements of an array value as a client sends it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/values.h"
#include "sharding/key_value.h"

namespace meridian {

struct ArrayElements {
  Oid type = 0;                                    // binary format only
  std::vector<std::optional<std::string>> values;  // nullopt: NULL
};

// PostgreSQL: src/backend/utils/adt/arrayfuncs.c, array_in. nullopt: not an array, or one with
// bounds or several dimensions.
std::optional<ArrayElements> ParseTextArray(std::string_view text);
// array_recv; of any number of dimensions. nullopt: malformed.
std::optional<ArrayElements> ParseBinaryArray(std::string_view bytes);

// The element type of an array type (PostgreSQL: src/include/catalog/pg_type.dat).
std::optional<KeyType> KeyTypeOfArrayOid(Oid oid);

}  // namespace meridian
