// Keys from PostgreSQL's binary format: the receive functions.
#include "sharding/datetime.h"
#include "sharding/key_error.h"
#include "sharding/key_value.h"
#include "sharding/utf8.h"

namespace meridian {
namespace {

// A signed integer in network byte order. Precondition: 1 to 8 bytes.
int64_t BigEndian(std::string_view bytes) {
  uint64_t value = (static_cast<uint8_t>(bytes[0]) & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return static_cast<int64_t>(value);
}

// The length of a type's binary form; 0: any.
size_t BinaryLength(KeyType type) {
  switch (type) {
    case KeyType::kSmallint:
      return 2;
    case KeyType::kInteger:
    case KeyType::kDate:
      return 4;
    case KeyType::kBigint:
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz:
      return 8;
    case KeyType::kUuid:
      return 16;
    case KeyType::kText:
    case KeyType::kBytea:
    case KeyType::kNumeric:
      return 0;
  }
  return 0;
}

}  // namespace

absl::StatusOr<KeyValue> ParseKeyBinary(KeyType type, std::string_view bytes) {
  const size_t length = BinaryLength(type);
  if (length != 0 && bytes.size() != length) return InvalidKeyBinary(KeyTypeName(type));
  switch (type) {
    case KeyType::kSmallint:
    case KeyType::kInteger:
    case KeyType::kBigint:
      return BigEndian(bytes);
    case KeyType::kDate:
      if (!IsDate(BigEndian(bytes))) return DatetimeOutOfRange(KeyTypeName(type));
      return BigEndian(bytes);
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz:
      if (!IsTimestamp(BigEndian(bytes))) return DatetimeOutOfRange("timestamp");
      return BigEndian(bytes);
    case KeyType::kText:
      if (!IsValidText(bytes)) return OnlyServerKnows(KeyTypeName(type));
      return std::string(bytes);
    case KeyType::kUuid:
    case KeyType::kBytea:
      return std::string(bytes);
    case KeyType::kNumeric:
      return ParseDecimalBinary(bytes);
  }
  return OnlyServerKnows("value");
}

}  // namespace meridian
