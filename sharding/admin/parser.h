// Admin SQL text -> commands. Pure; any thread.
//
// PostgreSQL's lexical rules: names are folded to small letters unless "quoted", '' and E'' and $$
// strings,
// -- and /* nested */ comments, statements separated by ';'. Strings are read with
// standard_conforming_strings on.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "sharding/admin/command.h"

namespace meridian {

// The longest text that is read, in bytes: 54000 beyond it.
inline constexpr size_t kMaxAdminTextBytes = 64 * 1024;
// The most statements in one text.
inline constexpr size_t kMaxAdminStatements = 256;

struct AdminStatement {
  Command command;
  std::string text;  // its part of the text, without the ';' and the white space around it
};

// All statements of the text; a text without any gives an empty vector (answer:
// EmptyQueryResponse). Nothing is executed by a caller when one statement is wrong, as in
// PostgreSQL. Errors: 42601 with position and the command's syntax as hint; 22023 and 42704 for
// values that no map can make right (a host that is none, a type that cannot be a key).
absl::StatusOr<std::vector<AdminStatement>> ParseAdmin(std::string_view text);

}  // namespace meridian
