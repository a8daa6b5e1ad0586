// The PostgreSQL parameters of an admin session: what it is told by ParameterStatus, and what SET
// and SHOW do to them. Pure.
//
// A client relies on some of them to read answers right: what cannot be honoured is refused.
#pragma once

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <string>
#include <string_view>
#include <utility>

#include "sharding/admin/command.h"
#include "sharding/admin/session_statement.h"

namespace meridian {

// What the admin database says that it is; drivers decide by it which SQL they may send.
inline constexpr std::string_view kAdminServerVersion = "15.0";

class SessionParameters {
 public:
  // `startup`: settings of the start-up packet; those that would be refused by Set are left out,
  // since a driver that sets its defaults must be able to log in.
  SessionParameters(std::string_view user, std::string_view meridian_version,
                    absl::Span<const std::pair<std::string, std::string>> startup);

  // ParameterStatus of all that PostgreSQL reports (its documentation, "Asynchronous Operations").
  void AppendAll(std::string& out) const;
  // SET and RESET; appends ParameterStatus where a reported one has changed. 0A000 for a
  // client_encoding other than UTF8 and for standard_conforming_strings off; 55P02 for one that
  // cannot be set; 54000 beyond 200 names or 8 KiB.
  absl::Status Set(const SessionStatement& set, std::string& out);
  void Reset(const SessionStatement& reset, std::string& out);
  // BEGIN and its end are not followed: a SET inside a transaction stays.

  const AdminSessionFacts& facts() const { return facts_; }
  const std::string& application_name() const;

 private:
  AdminSessionFacts facts_;
  StringMap<std::string> defaults_;  // to which RESET goes back
};

}  // namespace meridian
