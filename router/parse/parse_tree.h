// PostgreSQL's parse tree of a text.
#pragma once

#include <simdjson.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/parse/node.h"

namespace meridian {

class ParseTree {
 public:
  struct Part {
    uint32_t begin = 0;  // bytes; may start with white space or comments
    uint32_t end = 0;    // without the ';'
    Node statement;
  };

  // nullopt where PostgreSQL 15's grammar refuses the text, or it nests too deep to be looked at.
  // Uses up to 4 MiB of stack for 64 KiB of text. Strings are read with standard_conforming_strings
  // on.
  // `is_syntax_error` tells whether the grammar was the reason.
  static std::optional<ParseTree> Parse(const std::string& text, bool* is_syntax_error);

  const std::vector<Part>& parts() const { return parts_; }

 private:
  // On the heap: Nodes point into it.
  std::unique_ptr<simdjson::dom::parser> json_;
  std::vector<Part> parts_;
};

}  // namespace meridian
