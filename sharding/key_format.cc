#include <fmt/format.h>

#include "sharding/datetime.h"
#include "sharding/key_value.h"

namespace meridian {
namespace {

void AppendHex(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  }
}

std::string FormatUuid(std::string_view bytes) {
  std::string out;
  size_t at = 0;
  for (const size_t group : {4, 2, 2, 2, 6}) {
    if (at > 0) out += '-';
    AppendHex(out, bytes.substr(at, group));
    at += group;
  }
  return out;
}

}  // namespace

std::string FormatKey(KeyType type, const KeyValue& value) {
  switch (type) {
    case KeyType::kSmallint:
    case KeyType::kInteger:
    case KeyType::kBigint:
      return fmt::to_string(std::get<int64_t>(value));
    case KeyType::kText:
      return std::get<std::string>(value);
    case KeyType::kUuid:
      return FormatUuid(std::get<std::string>(value));
    case KeyType::kDate:
      return FormatDate(std::get<int64_t>(value));
    case KeyType::kTimestamp:
      return FormatTimestamp(std::get<int64_t>(value), "");
    case KeyType::kTimestamptz:
      return FormatTimestamp(std::get<int64_t>(value), "+00");
    case KeyType::kBytea: {
      std::string out = "\\x";
      AppendHex(out, std::get<std::string>(value));
      return out;
    }
    case KeyType::kNumeric:
      return FormatDecimal(std::get<Decimal>(value));
  }
  return {};
}

}  // namespace meridian
