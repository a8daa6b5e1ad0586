// The SQL rule that a string goes on after a newline: 'a' <newline> 'b' is 'ab'.
#pragma once

#include "router/lex/char_class.h"

namespace meridian {

struct Continuation {
  const char* at = nullptr;  // behind the opening quote of the next part; nullptr: the string ends
  bool over_comment = false;
};

// `at` is behind a closing quote. Only white space with at least one newline in it, and '--'
// comments, may lie between the parts (scan.l: quotecontinue).
inline Continuation FindContinuation(const char* at, const char* end) {
  bool newline = false;
  bool comment = false;
  while (at != end) {
    if (IsNewline(*at)) {
      newline = true;
      ++at;
    } else if (ClassOf(*at) == CharClass::kSpace) {
      ++at;
    } else if (*at == '-' && end - at >= 2 && at[1] == '-') {
      comment = true;
      while (at != end && !IsNewline(*at)) ++at;
    } else {
      return newline && *at == '\'' ? Continuation{at + 1, comment} : Continuation{};
    }
  }
  return {};
}

}  // namespace meridian
