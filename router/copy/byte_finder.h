// Finds the next occurrence of one byte, remembering it: a rare byte costs one pass over the data,
// not one per row.
#pragma once

#include <cstring>
#include <string_view>

namespace meridian {

class ByteFinder {
 public:
  explicit ByteFinder(char byte) : byte_(byte) {}

  void Begin(std::string_view data) {
    found_ = nullptr;
    end_ = data.data() + data.size();
  }
  // For data that is known not to hold the byte.
  void BeginWithout(std::string_view data) { found_ = end_ = data.data() + data.size(); }
  // The first occurrence at or behind `at`, or the end of the data. `at` never goes back.
  const char* From(const char* at) {
    if (found_ == nullptr || found_ < at) {
      const void* found = at == end_ ? nullptr : std::memchr(at, byte_, end_ - at);
      found_ = found == nullptr ? end_ : static_cast<const char*>(found);
    }
    return found_;
  }

 private:
  char byte_;
  const char* found_ = nullptr;
  const char* end_ = nullptr;
};

}  // namespace meridian
