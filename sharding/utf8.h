// Whether bytes are text that a UTF-8 database can hold.
#pragma once

#include <string_view>

namespace meridian {

// Valid UTF-8 as PostgreSQL checks it (pg_utf8_islegal: no surrogates, no overlong forms, nothing
// above U+10FFFF) and without zero bytes.
bool IsValidText(std::string_view bytes);

}  // namespace meridian
