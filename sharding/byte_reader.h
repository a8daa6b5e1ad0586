// Reads the fields of a binary message, in network byte order. Never past its end: after a field
// that is not there, ok() is false and every further read gives zero or an empty view.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace meridian {

inline uint16_t LoadU16(const char* at) {
  const auto* p = reinterpret_cast<const unsigned char*>(at);
  return static_cast<uint16_t>(p[0] << 8 | p[1]);
}
inline uint32_t LoadU32(const char* at) {
  const auto* p = reinterpret_cast<const unsigned char*>(at);
  return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 |
         static_cast<uint32_t>(p[2]) << 8 | p[3];
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  // All fields were there, and nothing is left.
  bool AtEnd() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

  uint8_t U8() {
    const std::string_view b = Bytes(1);
    return b.empty() ? 0 : static_cast<uint8_t>(b[0]);
  }
  uint16_t U16() {
    const std::string_view b = Bytes(2);
    return b.empty() ? 0 : LoadU16(b.data());
  }
  uint32_t U32() {
    const std::string_view b = Bytes(4);
    return b.empty() ? 0 : LoadU32(b.data());
  }
  uint64_t U64() {
    const uint64_t high = U32();
    return high << 32 | U32();
  }
  int32_t I32() { return static_cast<int32_t>(U32()); }

  std::string_view Bytes(size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  // A string that ends with a zero byte, which is consumed and not returned.
  std::string_view String() {
    if (!rest_.empty() && rest_.front() == '\0') {  // as most names are
      rest_.remove_prefix(1);
      return {};
    }
    const void* zero = rest_.empty() ? nullptr : std::memchr(rest_.data(), 0, rest_.size());
    if (zero == nullptr) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const size_t size = static_cast<size_t>(static_cast<const char*>(zero) - rest_.data());
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size + 1);
    return text;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace meridian
