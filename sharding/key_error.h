// The errors of reading a key: PostgreSQL's own words and SQLSTATEs.
#pragma once

#include <absl/status/status.h>

#include <string_view>

namespace meridian {

// 22P02: invalid input syntax for type ...
absl::Status InvalidKeyText(std::string_view type_name, std::string_view text);
// 22003: value "..." is out of range for type ...
absl::Status KeyOutOfRange(std::string_view type_name, std::string_view text);
// 22003: value overflows numeric format.
absl::Status NumericOverflow();
// 22008: date/time field value out of range (a field's), or ... out of range (the whole value's).
absl::Status DatetimeFieldOverflow(std::string_view text);
absl::Status DatetimeOutOfRange(std::string_view type_name);
// 22P03: incorrect binary data.
absl::Status InvalidKeyBinary(std::string_view type_name);
// kUnimplemented: only the server can tell what this value means.
absl::Status OnlyServerKnows(std::string_view type_name);

}  // namespace meridian
