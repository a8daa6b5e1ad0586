#include "sharding/utf8.h"

#include <cstdint>

namespace meridian {
namespace {

// The length of the valid character that `bytes` starts with, or 0 (RFC 3629, section 4).
size_t CharacterLength(std::string_view bytes) {
  const auto at = [bytes](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const auto in = [&](size_t i, uint8_t low, uint8_t high) {
    return i < bytes.size() && at(i) >= low && at(i) <= high;
  };
  const auto tail = [&](size_t i) { return in(i, 0x80, 0xBF); };
  const uint8_t first = at(0);
  if (first < 0x80) return first != 0 ? 1 : 0;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return tail(1) ? 2 : 0;
  if (first < 0xF0) {
    const uint8_t low = first == 0xE0 ? 0xA0 : 0x80;
    const uint8_t high = first == 0xED ? 0x9F : 0xBF;
    return in(1, low, high) && tail(2) ? 3 : 0;
  }
  if (first > 0xF4) return 0;
  const uint8_t low = first == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xF4 ? 0x8F : 0xBF;
  return in(1, low, high) && tail(2) && tail(3) ? 4 : 0;
}

}  // namespace

bool IsValidText(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = CharacterLength(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

}  // namespace meridian
