// SettingsChangeSql of settings.h.
#include <fmt/format.h>

#include <array>
#include <iterator>

#include "proxy/pool/settings.h"
#include "sharding/quote.h"

namespace meridian {
namespace {

// They change what may be set. Setting session_authorization also resets role, so role is last.
constexpr std::array<std::string_view, 2> kIdentity = {"session_authorization", "role"};

bool IsIdentity(std::string_view name) { return name == kIdentity[0] || name == kIdentity[1]; }

bool SameEntry(const Settings& a, const Settings& b, std::string_view name) {
  const std::string* in_a = a.Find(name);
  const std::string* in_b = b.Find(name);
  return in_a == nullptr ? in_b == nullptr : in_b != nullptr && *in_a == *in_b;
}

// The server reads the statement in the client_encoding that it has before the change, which may
// not be the one that the value is in, and in which a backslash or quote may be half of a
// character: text beyond ASCII travels as hexadecimal digits. A session that has chosen an encoding
// has said it in UTF-8: in another one, the router leaves such a SET unread.
std::string ValueSql(const std::string& value, const Settings& to) {
  bool ascii = true;
  for (const char c : value) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  if (ascii) return QuoteLiteral(value);
  std::string digits;
  for (const char c : value) {
    fmt::format_to(std::back_inserter(digits), "{:02x}", static_cast<unsigned char>(c));
  }
  const std::string* encoding = to.Find("client_encoding");
  return fmt::format("pg_catalog.convert_from(pg_catalog.decode('{}', 'hex'), {})", digits,
                     encoding != nullptr ? "'UTF8'" : "pg_catalog.getdatabaseencoding()");
}

class ChangeSql {
 public:
  explicit ChangeSql(const Settings& to) : to_(to) {}

  void Reset(std::string_view name) { resets_ += fmt::format("RESET {}; ", QuoteIdentifier(name)); }
  void Set(std::string_view name, const std::string& value) {
    sets_ += sets_.empty() ? "SELECT " : ", ";
    sets_ += fmt::format("pg_catalog.set_config({}, {}, false)", QuoteLiteral(name),
                         ValueSql(value, to_));
  }
  std::string Take() && {
    if (sets_.empty() && !resets_.empty()) resets_.resize(resets_.size() - 2);
    return std::move(resets_) + sets_;
  }

 private:
  const Settings& to_;
  std::string resets_;
  std::string sets_;
};

bool HasIdentity(const Settings& settings) {
  return settings.Find(kIdentity[0]) != nullptr || settings.Find(kIdentity[1]) != nullptr;
}

}  // namespace

std::string SetLocalAgainSql(const Settings& local, const Settings& from, const Settings& to) {
  std::string sql;
  const auto add = [&](std::string_view name, const std::string& value) {
    sql += fmt::format("{}pg_catalog.set_config({}, {}, true)", sql.empty() ? "SELECT " : ", ",
                       QuoteLiteral(name), ValueSql(value, to));
  };
  for (const auto& [name, value] : local.entries()) {
    if (!IsIdentity(name) && !SameEntry(from, to, name)) add(name, value);
  }
  if (from.entries() == to.entries() || !(HasIdentity(from) || HasIdentity(to))) return sql;
  for (const std::string_view name : kIdentity) {
    if (const std::string* value = local.Find(name); value != nullptr) add(name, *value);
  }
  return sql;
}

std::string SettingsChangeSql(const Settings& from, const Settings& to) {
  if (from.entries() == to.entries()) return {};
  ChangeSql sql(to);
  // What may be set is then decided by who logged in.
  if (from.Find("role") != nullptr) sql.Reset("role");
  if (from.Find("session_authorization") != nullptr) sql.Reset("session_authorization");
  for (const auto& [name, value] : from.entries()) {
    if (!IsIdentity(name) && to.Find(name) == nullptr) sql.Reset(name);
  }
  for (const auto& [name, value] : to.entries()) {
    if (!IsIdentity(name) && !SameEntry(from, to, name)) sql.Set(name, value);
  }
  for (const std::string_view name : kIdentity) {
    if (const std::string* value = to.Find(name); value != nullptr) sql.Set(name, *value);
  }
  return std::move(sql).Take();
}

}  // namespace meridian
