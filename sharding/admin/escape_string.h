// The inside of E'...' strings (PostgreSQL documentation, "String Constants with C-Style Escapes").
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace meridian {

// Decodes the escape at the start of `rest` (behind the backslash), appends it to `out` and removes
// it from `rest`. False: no valid escape (a bad \u or \x, a zero byte).
bool DecodeEscape(std::string_view& rest, std::string& out);

}  // namespace meridian
