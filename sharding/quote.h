// Quoting for SQL text.
#pragma once

#include <string>
#include <string_view>

namespace meridian {

// An SQL identifier or string literal, quoted where PostgreSQL needs it (its quote_ident and
// quote_literal). The literal means the same under any standard_conforming_strings.
// Precondition: no zero byte.
std::string QuoteIdentifier(std::string_view name);
std::string QuoteLiteral(std::string_view text);

}  // namespace meridian
