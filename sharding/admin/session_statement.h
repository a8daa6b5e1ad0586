// Answers to what drivers send by themselves at login and between uses: SET, BEGIN, SHOW of a
// PostgreSQL parameter, SELECT 1... Without effect on Meridian. Pure.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "sharding/admin/command.h"
#include "sharding/admin/table_result.h"
#include "sharding/string_map.h"

namespace meridian {

// What a session of the admin database is.
struct AdminSessionFacts {
  std::string version;  // what SELECT version() tells
  std::string user;
  std::string database;
  // The parameters that SHOW knows, names in small letters: what the session was told by
  // ParameterStatus, and what it has SET since.
  StringMap<std::string> parameters;
};

// The columns of the answer; empty: a command without rows. Never fails: Describe comes before the
// error of Execute.
std::vector<AdminColumn> SessionColumns(const SessionStatement& statement);
// 42704 for SHOW of a parameter that is not known. SET, RESET and transactions only give their tag:
// keeping transaction status and parameters is the caller's, who owns the session.
absl::StatusOr<AdminResult> AnswerSession(const SessionStatement& statement,
                                          const AdminSessionFacts& facts);

}  // namespace meridian
