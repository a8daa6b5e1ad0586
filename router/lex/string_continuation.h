// The SQL rule that a string goes on after a newline: 'a' <newline> 'b' is 'ab'.
#pragma once

#include "router/lex/char_class.h"

namespace meridian {

// `at` is behind a closing quote. Behind the opening quote of the part that continues the string,
// or nullptr where the string ends here: only white space with at least one newline in it, and '--'
// comments, may lie between (scan.l: quotecontinue).
inline const char* FindContinuation(const char* at, const char* end) {
  bool newline = false;
  while (at != end) {
    if (IsNewline(*at)) {
      newline = true;
      ++at;
    } else if (ClassOf(*at) == CharClass::kSpace) {
      ++at;
    } else if (*at == '-' && end - at >= 2 && at[1] == '-') {
      while (at != end && !IsNewline(*at)) ++at;
    } else {
      return newline && *at == '\'' ? at + 1 : nullptr;
    }
  }
  return nullptr;
}

}  // namespace meridian
