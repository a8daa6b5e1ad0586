#include "router/plan/stored_key.h"

#include <fmt/format.h>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Kind = OperandValue::Kind;

constexpr int64_t kMicrosecondsPerSecond = 1'000'000;

// Whether a column with this type modifier (varchar(n), numeric(p, s), timestamp(p)) keeps the
// value as it is, or refuses it.
bool KeptByModifier(KeyType type, int32_t modifier, const KeyValue& value) {
  if (modifier < 0) return true;
  switch (type) {
    case KeyType::kText: {
      // varchar(n) cuts blanks off that do not fit.
      const std::string& text = std::get<std::string>(value);
      return text.empty() || text.back() != ' ';
    }
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz:
      return std::get<int64_t>(value) % kMicrosecondsPerSecond == 0;
    case KeyType::kNumeric: {
      const Decimal& decimal = std::get<Decimal>(value);
      return decimal.exponent >= static_cast<int32_t>(decimal.digits.size());
    }
    default:
      return true;
  }
}

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
      "time in ISO 8601 with its time zone.");
}

}  // namespace meridian
