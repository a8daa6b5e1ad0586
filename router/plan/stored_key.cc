#include "router/plan/stored_key.h"

#include <fmt/format.h>

#include "sharding/key_modifier.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Kind = OperandValue::Kind;

}  // namespace

absl::Status NullKey(const TableName& table, std::string_view column) {
  return SqlStatus(
      sqlstate::kNotNullViolation,
      fmt::format("null value in distribution key column \"{}\" of {}", column, table.ToString()),
      "Give each row a key: it decides on which shard the row lives.");
}

absl::Status CheckStoredKey(const OperandValue& value, KeyType type, int32_t modifier,
                            const TableName& table, std::string_view column) {
  if (value.kind == Kind::kNull) return NullKey(table, column);
  if (value.kind == Kind::kServerError) return absl::OkStatus();
  if (value.kind == Kind::kValue && KeptByModifier(type, modifier, value.value)) {
    return absl::OkStatus();
  }
  return Refused(
      fmt::format("only the server can tell what distribution key column \"{}\" of {} would hold",
                  column, table.ToString()),
      "Write the key in its type's standard form: an integer in digits, text in quotes, a date or "
      "time in ISO 8601 with its time zone; characters beyond ASCII in client_encoding UTF8 or "
      "LATIN1.");
}

}  // namespace meridian
