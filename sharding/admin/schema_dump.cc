#include "sharding/admin/schema_dump.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "sharding/admin/run_program.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr char kDebianBinaries[] = "/usr/lib/postgresql";

std::optional<std::string> FindInPath(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(':'), rest.size());
    std::string candidate = fmt::format("{}/{}", rest.substr(0, end), program);
    if (end > 0 && access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

// The major versions whose programs are installed Debian's way.
std::set<int> InstalledMajors() {
  std::set<int> majors;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kDebianBinaries, error)) {
    const std::string name = entry.path().filename();
    if (LeadingDigits(name) == name.size() && name.size() < 4) majors.insert(std::stoi(name));
  }
  return majors;
}

// pg_dump reads servers up to its own version, and writes what that version understands: so the
// server's own version is best, then the next newer one.
absl::StatusOr<std::string> FindPgDump(const ShardAccess& access_options, int server_major) {
  if (!access_options.pg_dump.empty()) return access_options.pg_dump;
  const std::set<int> majors = InstalledMajors();
  for (auto major = majors.lower_bound(server_major); major != majors.end(); ++major) {
    std::string candidate = fmt::format("{}/{}/bin/pg_dump", kDebianBinaries, *major);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  if (auto found = FindInPath("pg_dump")) return *found;
  return SqlStatus("58000",
                   fmt::format("there is no pg_dump of version {} or newer here", server_major),
                   "Install postgresql-client on the proxy's machine, or create the table on every "
                   "shard yourself.");
}

// A libpq connection string without secrets.
std::string ConnectionString(const PgTarget& target) {
  std::string text;
  const auto add = [&](std::string_view key, std::string_view value) {
    text += fmt::format("{}{}='", text.empty() ? "" : " ", key);
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += '\'';
  };
  add("host", target.address.host);
  add("port", std::to_string(target.address.port));
  add("dbname", target.dbname);
  add("user", target.user);
  for (const auto& [key, value] : target.parameters) {
    if (key != "password" && key != "sslpassword") add(key, value);
  }
  return text;
}

// A pattern of pg_dump that means this relation and no other.
std::string Pattern(std::string_view schema, std::string_view name) {
  const auto quoted = [](std::string_view part) {
    std::string text = "\"";
    for (const char c : part) text.append(c == '"' ? 2 : 1, c);
    return text + '"';
  };
  return fmt::format("--table={}.{}", quoted(schema), quoted(name));
}

// --table takes no partitions along before PostgreSQL 16.
absl::Status AddPatterns(PgConnection& connection, const TableName& table,
                         const TableDefinition& definition, std::vector<std::string>& argv) {
  if (definition.kind != 'p') {
    argv.push_back(Pattern(table.schema, table.name));
    return absl::OkStatus();
  }
  auto tree = connection.Query(
      "SELECT n.nspname, c.relname FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid) p "
      "JOIN pg_catalog.pg_class c ON c.oid = p.relid "
      "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
      {{std::to_string(definition.oid)}});
  if (!tree.ok()) return tree.status();
  for (size_t r = 0; r < tree->rows(); ++r) {
    argv.push_back(Pattern(tree->Text(r, 0), tree->Text(r, 1)));
  }
  return absl::OkStatus();
}

// Removes the line that starts at `begin`; gives what stood behind the word.
std::string TakeLine(std::string& text, size_t begin, size_t word_length) {
  const size_t end = std::min(text.find('\n', begin), text.size() - 1);
  std::string rest = text.substr(begin + word_length, end - begin - word_length);
  text.erase(begin, end + 1 - begin);
  return rest;
}

// Whether every line is empty or a comment: the header that pg_dump begins with.
bool OnlyComments(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (!line.empty() && !line.starts_with("--")) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

}  // namespace

std::string WithoutPsqlCommands(std::string dump) {
  constexpr std::string_view kBegin = "\n\\restrict ", kEnd = "\n\\unrestrict ";
  const size_t begin = dump.find(kBegin);
  if (begin == std::string::npos || !OnlyComments(std::string_view(dump).substr(0, begin))) {
    return dump;  // such a line further on is part of a string
  }
  const std::string key = TakeLine(dump, begin + 1, kBegin.size() - 1);
  const size_t end = dump.rfind(fmt::format("{}{}", kEnd, key));
  if (end != std::string::npos) TakeLine(dump, end + 1, kEnd.size() - 1);
  return dump;
}

absl::StatusOr<std::string> DumpTable(const ShardAccess& access_options, const Shard& shard,
                                      ShardPrimary& primary, const TableName& table,
                                      const TableDefinition& definition) {
  auto version =
      primary.connection.Query("SELECT current_setting('server_version_num')::int/10000");
  if (!version.ok()) return version.status();
  auto program = FindPgDump(access_options, std::atoi(version->Text(0, 0).c_str()));
  if (!program.ok()) return program.status();
  const PgTarget target = TargetOf(access_options, shard, primary.node);
  ProgramOptions options;
  options.argv = {*program,
                  "--schema-only",
                  "--no-publications",
                  "--no-subscriptions",
                  "--no-password",
                  "--dbname=" + ConnectionString(target)};
  absl::Status patterns = AddPatterns(primary.connection, table, definition, options.argv);
  if (!patterns.ok()) return patterns;
  if (!target.password.empty()) options.environment = {{"PGPASSWORD", target.password}};
  auto result = RunProgram(options);
  if (!result.ok()) return result.status();
  if (result->exit_code != 0) {
    return SqlStatus(
        "58000", fmt::format("pg_dump of {} on shard \"{}\" failed", table.ToString(), shard.name),
        "Create the table on every shard yourself, then run the command again.",
        std::string(StripSpace(result->errors)));
  }
  return fmt::format("CREATE SCHEMA IF NOT EXISTS {};\n{}", QuoteIdentifier(table.schema),
                     WithoutPsqlCommands(std::move(result->output)));
}

}  // namespace meridian
