// One row of COPY data, between the cutter that found it and the reader of its key.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace meridian {

// What a cutter found next.
enum class Cut : uint8_t {
  kHeader,  // the binary format's header, or the header line
  kRow,
  kMore,  // nothing whole: give it more data; or the end of the data, where that was announced
  kEnd,   // an end marker: what follows it is not data
};

// Views into the cutter's data.
struct CopyRow {
  std::string_view bytes;    // all of it, as a shard must get it
  std::string_view content;  // without the newline; binary: without the field count
  bool plain = true;         // no backslash (text), no quote (CSV) in it
  uint64_t line = 0;         // for errors
};

// A field as the type's input or receive function gets it; nullopt: NULL.
using CopyField = std::optional<std::string_view>;

}  // namespace meridian
