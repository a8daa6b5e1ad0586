// The PostgreSQL parameters of an admin session: what SET, RESET and SHOW do to them. Pure.
//
// They are the drivers' business, but a client reads answers by some of them: a value that cannot
// be honoured is refused.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <utility>
#include <vector>

#include "sharding/admin/command.h"
#include "sharding/string_map.h"

namespace meridian {

// What ParameterStatus tells a client of the admin database at its login.
const std::vector<std::pair<std::string, std::string>>& AdminParameters();

// Other names than those known from the start that one session may SET; 54000 beyond it.
inline constexpr size_t kMaxOtherParameters = 200;
// The longest value, in bytes; 54000 beyond it.
inline constexpr size_t kMaxParameterBytes = 1024;

// Those, and others that SHOW knows; names in small letters.
StringMap<std::string> InitialParameters();

// SET or RESET. Appends ParameterStatus where one that is reported has changed. 0A000 for a
// client_encoding other than UTF8 and for standard_conforming_strings = off, 55P02 for what nobody
// may set. Transactions are not followed: what was SET stays after ROLLBACK.
absl::Status ChangeParameter(const SessionStatement& statement, StringMap<std::string>& parameters,
                             std::string& out);
// RESET ALL, DISCARD ALL.
void ResetParameters(StringMap<std::string>& parameters, std::string& out);

}  // namespace meridian
