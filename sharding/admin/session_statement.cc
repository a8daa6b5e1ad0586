#include "sharding/admin/session_statement.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sharding/admin/syntax.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Kind = SessionStatement::Kind;

bool IsNumber(std::string_view name) { return !name.empty() && IsAsciiDigit(name[0]); }

AdminColumn SelectColumn(const std::string& name) {
  if (IsNumber(name)) {
    int32_t number = 0;
    const bool fits =
        std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc();
    return {"?column?", fits ? type_oid::kInt4 : type_oid::kInt8};
  }
  if (name == "pg_advisory_unlock_all") return {name, type_oid::kVoid};
  return {name, type_oid::kText};
}

std::string SelectValue(const std::string& name, const AdminSessionFacts& facts) {
  if (IsNumber(name)) return name;
  if (name == "version") return facts.version;
  if (name == "current_database" || name == "current_catalog") return facts.database;
  if (name == "current_schema") return "public";
  if (name == "current_user" || name == "session_user" || name == "user") return facts.user;
  return "";
}

std::string SubjectsText() {
  std::string names;
  for (const SubjectName& subject : ShowSubjects()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", subject.name);
  }
  return names;
}

absl::StatusOr<std::vector<AdminRow>> ParameterRows(const std::string& name,
                                                    const AdminSessionFacts& facts) {
  std::vector<AdminRow> rows;
  if (name == "all") {
    for (const auto& [parameter, value] : facts.parameters) rows.push_back({parameter, value, ""});
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  const auto found = facts.parameters.find(name);
  if (found == facts.parameters.end()) {
    return SqlStatus(sqlstate::kUndefinedObject,
                     fmt::format("unrecognized configuration parameter \"{}\"", name),
                     fmt::format("SHOW knows {}.", SubjectsText()));
  }
  return std::vector<AdminRow>{{found->second}};
}

}  // namespace

std::vector<AdminColumn> SessionColumns(const SessionStatement& statement) {
  if (statement.kind == Kind::kSelect) return {SelectColumn(statement.name)};
  if (statement.kind != Kind::kShowParameter) return {};
  if (statement.name == "all") return {{"name"}, {"setting"}, {"description"}};
  return {{statement.name}};
}

absl::StatusOr<AdminResult> AnswerSession(const SessionStatement& statement,
                                          const AdminSessionFacts& facts) {
  AdminResult result{{SessionColumns(statement), {}}, TagOf(Command(statement))};
  if (statement.kind == Kind::kSelect) {
    result.table.rows.push_back({SelectValue(statement.name, facts)});
  } else if (statement.kind == Kind::kShowParameter) {
    auto rows = ParameterRows(statement.name, facts);
    if (!rows.ok()) return rows.status();
    result.table.rows = *std::move(rows);
  }
  return result;
}

}  // namespace meridian
