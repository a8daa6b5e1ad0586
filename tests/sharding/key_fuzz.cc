// Keys from hostile text and bytes: whatever is read prints and reads back as the same value.
#include <cstdlib>

#include "sharding/key_value.h"
#include "sharding/shard_map.h"
#include "tests/fuzz/fuzz.h"

namespace {

using meridian::KeyType;
using meridian::KeyValue;

void ExpectRoundTrip(KeyType type, const absl::StatusOr<KeyValue>& value) {
  if (!value.ok()) return;
  const absl::StatusOr<KeyValue> again = ParseKeyText(type, FormatKey(type, *value));
  if (!again.ok() || Compare(*value, *again) != 0) std::abort();
  if (IsHashable(type) && HashKey(type, *value) != HashKey(type, *again)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (int i = 0; i <= static_cast<int>(KeyType::kNumeric); ++i) {
    const auto type = static_cast<KeyType>(i);
    ExpectRoundTrip(type, ParseKeyText(type, input));
    ExpectRoundTrip(type, ParseKeyBinary(type, input));
  }
  const auto address = meridian::ParseNodeAddress(input);
  if (address.ok() && meridian::ParseNodeAddress(address->ToString()) != address) std::abort();
  return 0;
}

std::vector<std::string> FuzzSeeds() {
  return {"-42",
          "1.5e-10",
          "NaN",
          "infinity",
          "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
          "2024-02-29 12:34:56.789+05:30 BC",
          "5874897-12-31",
          "\\xdeadBEEF",
          "a\\\\b\\377",
          std::string("\0\2\0\0\x40\0\0\1\0\x0c\x13\x88", 12),
          "[::1]:5432",
          "/tmp:1",
          "é"};
}
