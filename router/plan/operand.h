// A value that stands in a statement: a literal of its text, a parameter of its Bind, or NULL.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "router/values.h"
#include "sharding/key_value.h"

namespace meridian {

struct Operand {
  enum class Source : uint8_t { kNull, kLiteral, kParameter };
  Source source = Source::kNull;
  uint16_t index = 0;     // of the literal in its part, of the parameter; from 0
  bool negative = false;  // a minus before the literal
  // A parameter that stands elsewhere in the statement too: PostgreSQL may have inferred its type
  // there.
  bool shared_parameter = false;
  // The type that a cast gives it.
  std::optional<KeyType> cast;
  // ARRAY[...]::type[] and '{...}' stand for the elements of an array.
  bool array = false;
};

// What an operand is worth, as a key of some type.
struct OperandValue {
  enum class Kind : uint8_t {
    kValue,
    kNull,
    kNever,        // equal to no value of the type: 1.5 for an integer
    kUnknown,      // only the server can tell
    kServerError,  // the server refuses it: where it goes does not matter
  };
  Kind kind = Kind::kUnknown;
  KeyValue value;
};

// The value of `operand` where it is compared for equality or order with a column of type `type`.
OperandValue ReadOperand(const Operand& operand, KeyType type, const Values& values,
                         bool standard_conforming_strings);

// The elements of an array operand; false: only the server can tell. An array that is NULL has
// none.
bool ReadArrayOperand(const Operand& operand, KeyType type, const Values& values,
                      bool standard_conforming_strings, std::vector<OperandValue>* elements);

}  // namespace meridian
