// Passwords for logging in to backends, in the format of PostgreSQL's password file:
//   host:port:database:user:password
// one per line, `*` for any, `\:` and `\\` for the characters themselves, `#` begins a comment
// line, the first match wins (PostgreSQL documentation, "The Password File"; fe-connect.c). A plain
// value; loaded in start-up code and on reload.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meridian {

class PasswordFile {
 public:
  // An empty file.
  PasswordFile() = default;

  // Refuses (with the reason) a file that cannot be read, that others than its owner can access
  // (libpq's rule: mode 0600 or less), or that has a malformed line; messages name the line, never
  // its content.
  [[nodiscard]] static absl::StatusOr<PasswordFile> Load(const std::string& path);
  [[nodiscard]] static absl::StatusOr<PasswordFile> Parse(std::string_view text,
                                                          std::string_view path);

  // Null if no line matches. Valid as long as this object. A host that is a unix socket's directory
  // also matches "localhost", as libpq does for the default directory.
  const std::string* Find(std::string_view host, int port, std::string_view database,
                          std::string_view user) const;

 private:
  struct Entry {
    // None: any.
    std::optional<std::string> host, port, database, user;
    std::string password;
  };
  std::vector<Entry> entries_;
};

}  // namespace meridian
