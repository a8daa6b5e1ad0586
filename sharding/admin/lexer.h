// The lexical rules of admin SQL: PostgreSQL's (src/backend/parser/scan.l). Pure.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

namespace meridian {

struct AdminToken {
  enum class Kind {
    kName,        // folded to small letters; also every keyword
    kQuotedName,  // "as it stands"
    kString,      // '', E'' or $$: its value
    kNumber,      // not yet checked
    kParameter,   // $1
    kSymbol,      // one character
    kEnd,         // behind the last token
  };
  Kind kind = Kind::kEnd;
  std::string value;
  size_t begin = 0;  // in bytes of the text
  size_t end = 0;
};

// The last token is kEnd. 42601 with position (unterminated things, zero-length names), 22021 for
// text that is no UTF-8 or has a zero byte.
absl::StatusOr<std::vector<AdminToken>> LexAdmin(std::string_view text);

// The position of a byte in characters, from 1.
int CharacterPosition(std::string_view text, size_t byte);

}  // namespace meridian
