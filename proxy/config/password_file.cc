#include "proxy/config/password_file.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "proxy/config/file_text.h"

namespace meridian {
namespace {

constexpr size_t kFields = 5;

// The fields of one line with their escapes resolved; `any` marks a bare `*`.
struct Line {
  std::array<std::string, kFields> fields;
  std::array<bool, kFields> any{};
};

std::optional<Line> SplitLine(std::string_view text) {
  Line line;
  size_t field = 0;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      line.fields[field] += text[++i];
    } else if (text[i] == ':') {
      // libpq would take the password up to here: no guess what was meant.
      if (field + 1 == kFields) return std::nullopt;
      line.any[field] = text.substr(begin, i - begin) == "*";
      ++field;
      begin = i + 1;
    } else {
      line.fields[field] += text[i];
    }
  }
  if (field + 1 < kFields || line.fields[kFields - 1].empty()) return std::nullopt;
  return line;
}

bool Matches(const std::optional<std::string>& pattern, std::string_view value) {
  return !pattern || *pattern == value;
}

}  // namespace

absl::StatusOr<PasswordFile> PasswordFile::Load(const std::string& path) {
  const absl::StatusOr<FileText> file = ReadFileText(path);
  if (!file.ok()) return file.status();
  if (!file->is_private) {
    return absl::PermissionDeniedError(fmt::format(
        "the password file \"{}\" is open to its group or others: run chmod 0600 on it", path));
  }
  return Parse(file->text, path);
}

absl::StatusOr<PasswordFile> PasswordFile::Parse(std::string_view text, std::string_view path) {
  PasswordFile file;
  int number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view row = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (row.ends_with('\r')) row.remove_suffix(1);
    if (row.empty() || row.starts_with('#')) continue;
    std::optional<Line> line = SplitLine(row);
    if (!line) {
      return absl::InvalidArgumentError(fmt::format(
          "{}:{}: must be host:port:database:user:password, with \\: for a colon within a field",
          path, number));
    }
    const auto field = [&](size_t i) {
      return line->any[i] ? std::nullopt : std::optional(std::move(line->fields[i]));
    };
    file.entries_.push_back({.host = field(0),
                             .port = field(1),
                             .database = field(2),
                             .user = field(3),
                             .password = std::move(line->fields[4])});
  }
  return file;
}

const std::string* PasswordFile::Find(std::string_view host, int port, std::string_view database,
                                      std::string_view user) const {
  const std::string_view wanted_host = host.starts_with('/') ? "localhost" : host;
  const std::string wanted_port = fmt::format("{}", port);
  for (const Entry& entry : entries_) {
    if ((Matches(entry.host, host) || Matches(entry.host, wanted_host)) &&
        Matches(entry.port, wanted_port) && Matches(entry.database, database) &&
        Matches(entry.user, user)) {
      return &entry.password;
    }
  }
  return nullptr;
}

}  // namespace meridian
