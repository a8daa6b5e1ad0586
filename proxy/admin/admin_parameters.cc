#include "proxy/admin/admin_parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "proxy/wire/message_writer.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr std::string_view kReadOnly[] = {"server_version", "server_encoding",
                                          "in_hot_standby", "integer_datetimes",
                                          "is_superuser",   "transaction_isolation"};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), AsciiLower);
  return lower;
}

bool IsAnyOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return EqualsIgnoreCase(text, word); });
}

// The value as the server would report it.
absl::StatusOr<std::string> Checked(std::string_view name, const std::string& value) {
  if (name == "client_encoding") {
    if (IsAnyOf(value, {"utf8", "utf-8", "unicode"})) return "UTF8";
    if (IsAnyOf(value, {"sql_ascii"})) return "SQL_ASCII";
    return Refused(fmt::format("the admin database speaks UTF8, not {}", value),
                   "SET client_encoding TO 'UTF8'.");
  }
  if (name == "standard_conforming_strings") {
    if (IsAnyOf(value, {"on", "true", "yes", "1"})) return "on";
    return Refused("admin SQL is read with standard_conforming_strings = on",
                   "Write backslash escapes as E'...'.");
  }
  if (name == "datestyle" && IsAnyOf(value, {"iso"})) return "ISO, MDY";
  return value;
}

void Assign(const std::string& name, const std::string& value, StringMap<std::string>& parameters,
            std::string& out) {
  std::string& old = parameters[name];
  if (old == value) return;
  old = value;
  for (const auto& [reported, initial] : AdminParameters()) {
    if (EqualsIgnoreCase(reported, name)) wire::AppendParameterStatus(out, reported, value);
  }
}

void Reset(const std::string& name, StringMap<std::string>& parameters, std::string& out) {
  const StringMap<std::string> initial = InitialParameters();
  const auto found = initial.find(name);
  if (found != initial.end()) {
    Assign(name, found->second, parameters, out);
  } else {
    parameters.erase(name);
  }
}

}  // namespace

const std::vector<std::pair<std::string, std::string>>& AdminParameters() {
  static const auto* const kParameters = new std::vector<std::pair<std::string, std::string>>{
      {"server_version", "15.0 (Meridian " MERIDIAN_VERSION ")"},
      {"server_encoding", "UTF8"},
      {"client_encoding", "UTF8"},
      {"application_name", ""},
      {"DateStyle", "ISO, MDY"},
      {"IntervalStyle", "postgres"},
      {"TimeZone", "UTC"},
      {"integer_datetimes", "on"},
      {"standard_conforming_strings", "on"},
      {"is_superuser", "on"},
      {"default_transaction_read_only", "off"},
      {"in_hot_standby", "off"}};
  return *kParameters;
}

StringMap<std::string> InitialParameters() {
  StringMap<std::string> parameters;
  for (const auto& [name, value] : AdminParameters()) parameters[Lower(name)] = value;
  parameters["transaction_isolation"] = "read committed";
  parameters["default_transaction_isolation"] = "read committed";
  parameters["transaction_read_only"] = "off";
  parameters["search_path"] = "\"$user\", public";
  parameters["statement_timeout"] = "0";
  parameters["max_identifier_length"] = "63";
  return parameters;
}

absl::Status ChangeParameter(const SessionStatement& statement, StringMap<std::string>& parameters,
                             std::string& out) {
  const bool reset = statement.kind == SessionStatement::Kind::kReset;
  const std::string name = Lower(statement.name);
  if (name == "transaction") return absl::OkStatus();
  if (reset && name == "all") {
    ResetParameters(parameters, out);
    return absl::OkStatus();
  }
  if (std::find(std::begin(kReadOnly), std::end(kReadOnly), name) != std::end(kReadOnly)) {
    return SqlStatus("55P02", fmt::format("parameter \"{}\" cannot be changed", name));
  }
  if (reset || EqualsIgnoreCase(statement.value, "default")) {
    Reset(name, parameters, out);
    return absl::OkStatus();
  }
  const bool full = parameters.size() >= InitialParameters().size() + kMaxOtherParameters;
  if (statement.value.size() > kMaxParameterBytes || (full && !parameters.contains(name))) {
    return SqlStatus(
        sqlstate::kProgramLimitExceeded,
        fmt::format("too many parameters, or a value longer than {} bytes", kMaxParameterBytes),
        "RESET ALL forgets them.");
  }
  const auto value = Checked(name, statement.value);
  if (!value.ok()) return value.status();
  Assign(name, *value, parameters, out);
  return absl::OkStatus();
}

void ResetParameters(StringMap<std::string>& parameters, std::string& out) {
  StringMap<std::string> initial = InitialParameters();
  for (const auto& [name, value] : initial) Assign(name, value, parameters, out);
  parameters = std::move(initial);
}

}  // namespace meridian
