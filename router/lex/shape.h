// The shape of a statement: its text without what most executions change. The key of the plan
// cache.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/values.h"

namespace meridian {

// Sets `shape` (not readable SQL) and `literals`: those of `text`, in order. Returns where the
// statement stands, without the white space, comments and ';' around it.
//
// Two texts with equal shapes have the same parse tree but for the values of literals and for
// locations; their n-th literals correspond. What is folded: literals (their kind stays, and
// whether an integer fits int4, int8 or neither), white space, comments, the case of ASCII letters
// outside of quotes, and ';' at the end. What stays: parameters, quoted identifiers, a sign before
// a number (an operator; PostgreSQL gives a negated constant the sign's location), the n of
// float(n), which chooses a type. U&'...' UESCAPE '!' is one literal, its range taking in the
// clause.
//
// nullopt where the text cannot be cut into tokens with certainty (see scanner.h): treat it as
// never seen before; `shape` and `literals` are then of no use. Reuse both objects: nothing is
// allocated when they have room. `shape` takes memory for twice the text meanwhile: bound the text
// (2 GiB at most). `text` must be in an encoding whose multi-byte characters hold no ASCII bytes.
std::optional<TextRange> MakeShape(std::string_view text, bool standard_conforming_strings,
                                   std::string* shape, std::vector<Literal>* literals);

// The shape for people: a '?' for each literal, at most 1,000 bytes. It holds no value, so it may
// be logged. Empty where the text has no shape.
std::string ReadableShape(std::string_view text, bool standard_conforming_strings);

}  // namespace meridian
