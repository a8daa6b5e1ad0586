// Key values as a column stores them.
#pragma once

#include <absl/status/status.h>

#include <string_view>

#include "router/plan/operand.h"
#include "sharding/shard_map.h"

namespace meridian {

// 23502 for a row without a key.
absl::Status NullKey(const TableName& table, std::string_view column);

// Whether a value, read as a key of type `type`, is what the column will hold: an error for NULL
// (23502), for a value that only the server can read, and for one that storing changes (a number
// that is rounded, a text cut by varchar(n)). OK for a value that the server will refuse.
absl::Status CheckStoredKey(const OperandValue& value, KeyType type, int32_t modifier,
                            const TableName& table, std::string_view column);

}  // namespace meridian
