#include "sharding/key_modifier.h"

namespace meridian {
namespace {

constexpr int32_t kVarHeader = 4;  // VARHDRSZ, which modifiers of varchar and numeric count in
constexpr int kMaxTimePrecision = 6;

// A scale of 11 bits with sign (PostgreSQL: numeric_typmod_scale).
int32_t ScaleOf(int32_t modifier) { return (((modifier - kVarHeader) & 0x7ff) ^ 1024) - 1024; }

// How many digits behind the point are not zero; negative: zeros before it.
int32_t ScaleOf(const Decimal& decimal) {
  return static_cast<int32_t>(decimal.digits.size()) - decimal.exponent;
}

}  // namespace

bool KeptByModifier(KeyType type, int32_t modifier, const KeyValue& value) {
  if (modifier < 0) return true;
  switch (type) {
    case KeyType::kText: {
      // Blanks that do not fit are cut off. Bytes are never fewer than characters.
      const std::string& text = std::get<std::string>(value);
      return static_cast<int64_t>(text.size()) <= modifier - kVarHeader || text.back() != ' ';
    }
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz: {
      int64_t unit = 1;
      for (int digit = modifier; digit < kMaxTimePrecision; ++digit) unit *= 10;
      return std::get<int64_t>(value) % unit == 0;
    }
    case KeyType::kNumeric: {
      const Decimal& decimal = std::get<Decimal>(value);
      return decimal.kind != Decimal::Kind::kFinite || decimal.digits.empty() ||
             ScaleOf(decimal) <= ScaleOf(modifier);
    }
    default:
      return true;
  }
}

}  // namespace meridian
