#include <fmt/format.h>

#include "router/plan/decide.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Kind = OperandValue::Kind;

constexpr int64_t kMicrosecondsPerSecond = 1'000'000;

// Whether storing the value in a column with this type modifier (varchar(n), numeric(p, s),
// timestamp(p)) keeps it as it is, or fails.
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

absl::Status NullKey(const InsertRows& insert, size_t column) {
  return SqlStatus(sqlstate::kNotNullViolation,
                   fmt::format("null value in distribution key column \"{}\" of {}",
                               insert.key_columns[column], insert.table.ToString()),
                   "Give each row a key: it decides on which shard the row lives.");
}

absl::Status UnreadableKey(const InsertRows& insert, size_t column) {
  return Refused(
      fmt::format("only the server can read this value of distribution key column \"{}\" of {}",
                  insert.key_columns[column], insert.table.ToString()),
      "Write the key in its type's standard form: an integer in digits, text in quotes, a date or "
      "time in ISO 8601 with "
      "its time zone.");
}

}  // namespace

absl::StatusOr<std::optional<std::vector<ShardIndex>>> ShardsOfRows(const InsertRows& insert,
                                                                    const RouteProgram& program,
                                                                    const ShardMap& map,
                                                                    const Values& values) {
  const Distribution& distribution = map.distributions()[insert.distribution];
  if (distribution.ranges().empty()) {
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                     fmt::format("distribution \"{}\" has no key range", distribution.name()),
                     "Create one with CREATE KEY RANGE in the admin database.");
  }
  std::vector<ShardIndex> shards;
  shards.reserve(insert.keys.size());
  KeyTuple point;
  bool server_error = false;
  for (const auto& key : insert.keys) {
    point.clear();
    for (size_t i = 0; i < key.size(); ++i) {
      const KeyType type = distribution.columns()[i].type;
      OperandValue value = ReadOperand(key[i], type, values, program.standard_conforming_strings);
      switch (value.kind) {
        case Kind::kValue:
          break;
        case Kind::kNull:
          return NullKey(insert, i);
        case Kind::kNever:  // rounded when it is stored
        case Kind::kUnknown:
          return UnreadableKey(insert, i);
        case Kind::kServerError:
          server_error = true;
          continue;
      }
      if (!KeptByModifier(type, insert.modifiers[i], value.value)) return UnreadableKey(insert, i);
      point.push_back(distribution.ToSpace(i, std::move(value.value)));
    }
    if (!server_error) shards.push_back(distribution.Locate(point).owner);
  }
  if (server_error) return std::optional<std::vector<ShardIndex>>();
  return std::optional(std::move(shards));
}

}  // namespace meridian
