// The values of one execution of a statement: literals in its text and parameters of its Bind.
#pragma once

#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "sharding/client_encoding.h"

namespace meridian {

using Oid = uint32_t;

// A part of a statement's text, in bytes.
struct TextRange {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t size() const { return end - begin; }
  friend bool operator==(const TextRange&, const TextRange&) = default;
};

enum class LiteralKind : uint8_t {
  kInteger,        // 42
  kNumeric,        // 4.2e1, or an integer beyond int8
  kString,         // 'it''s' (standard_conforming_strings decides about backslashes)
  kEscapeString,   // E'...'
  kUnicodeString,  // U&'...'
  kDollarString,   // $tag$...$tag$
  kBitString,      // B'...' or X'...'
};

struct Literal {
  TextRange range;  // in the whole text, quotes included
  LiteralKind kind = LiteralKind::kInteger;
  friend bool operator==(const Literal&, const Literal&) = default;
};

// One parameter value of a Bind message.
struct Parameter {
  Oid type = 0;                           // as declared in Parse; 0: left to the server
  bool binary = false;                    // format code 1
  std::optional<std::string_view> value;  // nullopt: NULL
};

// Views: valid while the text and the Bind message are.
struct Values {
  std::string_view text;
  absl::Span<const Literal> literals;
  absl::Span<const Parameter> parameters;
  // The session's client_encoding, which text and parameters are in.
  ClientEncoding encoding = ClientEncoding::kUtf8;
};

}  // namespace meridian
