// What a column's type modifier (varchar(n), timestamp(p), numeric(p, s)) does to a key on its way
// into the column.
#pragma once

#include <cstdint>

#include "sharding/key_value.h"

namespace meridian {

// Whether a column with pg_attribute.atttypmod `modifier` (-1: none) stores the value as it is, or
// refuses it. False: it may round or cut it, and the row belongs to another key than the one given.
bool KeptByModifier(KeyType type, int32_t modifier, const KeyValue& value);

}  // namespace meridian
