// The value that PostgreSQL's parser finds in a literal.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "router/values.h"

namespace meridian {

// The value of a literal that the scanner or MakeShape found in `text`: the characters of a string,
// the digits of a number as written (never a sign). A view into `text` where nothing needs
// decoding, else into `scratch` (overwritten). nullopt where only the server can tell: bit strings,
// UESCAPE clauses, escapes for characters beyond ASCII by code point (their bytes depend on the
// server's encoding), a zero byte, text that PostgreSQL would refuse. Pure.
std::optional<std::string_view> DecodeLiteral(std::string_view text, const Literal& literal,
                                              bool standard_conforming_strings,
                                              std::string* scratch);

}  // namespace meridian
