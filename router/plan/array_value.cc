#include "router/plan/array_value.h"

#include <cstdint>

namespace meridian {
namespace {

// PostgreSQL: MAXDIM.
constexpr uint32_t kMaxDimensions = 6;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class TextArrayReader {
 public:
  explicit TextArrayReader(std::string_view text) : text_(text) {}

  std::optional<ArrayElements> Read() {
    ArrayElements array;
    SkipSpace();
    if (!Take('{')) return std::nullopt;
    SkipSpace();
    if (Take('}')) return AtEnd() ? std::optional(array) : std::nullopt;
    do {
      if (!ReadElement(&array)) return std::nullopt;
    } while (Take(','));
    if (!Take('}') || !AtEnd()) return std::nullopt;
    return array;
  }

 private:
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }
  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }

  bool ReadElement(ArrayElements* array) {
    SkipSpace();
    std::string value;
    if (Take('"')) {
      while (!Take('"')) {
        if (Take('\\') && at_ >= text_.size()) return false;
        if (at_ >= text_.size()) return false;
        value.push_back(text_[at_++]);
      }
      SkipSpace();
      array->values.emplace_back(std::move(value));
      return true;
    }
    bool escaped = false;
    size_t end = 0;  // of the last character that is not unquoted white space
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '}') {
      if (text_[at_] == '{' || text_[at_] == '"') return false;
      bool literal = false;
      if (Take('\\')) {
        if (at_ >= text_.size()) return false;
        literal = escaped = true;
      }
      value.push_back(text_[at_++]);
      if (literal || !IsSpace(value.back())) end = value.size();
    }
    if (end == 0) return false;
    value.resize(end);
    const bool is_null = !escaped && value.size() == 4 && (value[0] | 0x20) == 'n' &&
                         (value[1] | 0x20) == 'u' && (value[2] | 0x20) == 'l' &&
                         (value[3] | 0x20) == 'l';
    if (is_null) {
      array->values.emplace_back(std::nullopt);
    } else {
      array->values.emplace_back(std::move(value));
    }
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

class BinaryReader {
 public:
  explicit BinaryReader(std::string_view bytes) : bytes_(bytes) {}
  bool ReadUint32(uint32_t* value) {
    if (bytes_.size() < 4) return false;
    *value = 0;
    for (int i = 0; i < 4; ++i) *value = *value << 8 | static_cast<unsigned char>(bytes_[i]);
    bytes_.remove_prefix(4);
    return true;
  }
  bool ReadBytes(uint32_t size, std::string* value) {
    if (bytes_.size() < size) return false;
    value->assign(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return true;
  }
  bool AtEnd() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

}  // namespace

std::optional<ArrayElements> ParseTextArray(std::string_view text) {
  return TextArrayReader(text).Read();
}

std::optional<ArrayElements> ParseBinaryArray(std::string_view bytes) {
  constexpr uint32_t kNullLength = 0xFFFFFFFF;
  BinaryReader reader(bytes);
  ArrayElements array;
  uint32_t dimensions = 0;
  uint32_t flags = 0;
  if (!reader.ReadUint32(&dimensions) || !reader.ReadUint32(&flags) ||
      !reader.ReadUint32(&array.type) || dimensions > kMaxDimensions) {
    return std::nullopt;
  }
  uint64_t count = dimensions == 0 ? 0 : 1;
  for (uint32_t i = 0; i < dimensions; ++i) {
    uint32_t length = 0;
    uint32_t lower_bound = 0;
    if (!reader.ReadUint32(&length) || !reader.ReadUint32(&lower_bound)) return std::nullopt;
    count *= length;
    // Each element takes at least four bytes.
    if (count > bytes.size()) return std::nullopt;
  }
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (!reader.ReadUint32(&length)) return std::nullopt;
    std::optional<std::string> value;
    if (length != kNullLength && !reader.ReadBytes(length, &value.emplace())) return std::nullopt;
    array.values.push_back(std::move(value));
  }
  if (!reader.AtEnd()) return std::nullopt;
  return array;
}

std::optional<KeyType> KeyTypeOfArrayOid(Oid oid) {
  switch (oid) {
    case 1005:
      return KeyType::kSmallint;
    case 1007:
      return KeyType::kInteger;
    case 1016:
      return KeyType::kBigint;
    case 1009:  // text[]
    case 1015:  // varchar[]
      return KeyType::kText;
    case 2951:
      return KeyType::kUuid;
    case 1182:
      return KeyType::kDate;
    case 1115:
      return KeyType::kTimestamp;
    case 1185:
      return KeyType::kTimestamptz;
    case 1001:
      return KeyType::kBytea;
    case 1231:
      return KeyType::kNumeric;
    default:
      return std::nullopt;
  }
}

}  // namespace meridian
