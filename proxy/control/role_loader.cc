#include "proxy/control/role_loader.h"

#include <charconv>
#include <string>
#include <utility>

#include "metrics/log.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// rolvaliduntil in microseconds since 1970, NULL for never ('infinity' included).
#define ROLE_COLUMNS                                           \
  "rolname, rolpassword, rolcanlogin, rolsuper, rolconnlimit," \
  " CASE WHEN rolvaliduntil = '-infinity' THEN 0"              \
  " WHEN isfinite(rolvaliduntil) THEN (extract(epoch FROM rolvaliduntil) * 1000000)::int8 END"

constexpr char kFromAuthid[] = "SELECT " ROLE_COLUMNS " FROM pg_catalog.pg_authid";
constexpr char kFromRoles[] = "SELECT " ROLE_COLUMNS " FROM pg_catalog.pg_roles";

#undef ROLE_COLUMNS

template <typename Number>
Number NumberAt(const PgResult& rows, size_t row, size_t column) {
  const std::string_view text = rows.Get(row, column).value_or("");
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void SetPassword(Role& role, std::optional<std::string_view> rolpassword) {
  if (!rolpassword) return;
  role.password = Role::Password::kOther;
  if (!IsScramVerifier(*rolpassword)) return;
  auto verifier = ParseScramVerifier(*rolpassword);
  if (!verifier.ok()) return;
  role.password = Role::Password::kScram;
  role.verifier = *std::move(verifier);
}

// system_clock counts nanoseconds in 64 bits, PostgreSQL microseconds: what it cannot hold is
// never.
std::optional<std::chrono::system_clock::time_point> ValidUntil(const PgResult& rows, size_t row) {
  if (!rows.Get(row, 5)) return std::nullopt;
  const std::chrono::microseconds time(NumberAt<int64_t>(rows, row, 5));
  using Clock = std::chrono::system_clock;
  if (time > std::chrono::duration_cast<std::chrono::microseconds>(Clock::duration::max())) {
    return std::nullopt;
  }
  return Clock::time_point(std::max(time, std::chrono::microseconds(0)));
}

enum class Source { kAuthid, kRoles };

Roles RolesFrom(const PgResult& rows, Source source) {
  Roles roles;
  for (size_t i = 0; i < rows.rows(); ++i) {
    Role role;
    role.name = rows.Text(i, 0);
    if (source == Source::kAuthid) {
      SetPassword(role, rows.Get(i, 1));
    } else {
      role.password = Role::Password::kNotAllowed;
    }
    role.can_login = rows.Get(i, 2) == "t";
    role.superuser = rows.Get(i, 3) == "t";
    role.connection_limit = NumberAt<int>(rows, i, 4);
    role.valid_until = ValidUntil(rows, i);
    std::string name = role.name;
    roles.by_name.emplace(std::move(name), std::move(role));
  }
  return roles;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Roles>> RoleLoader::Load(PgConnection& connection) {
  Source source = Source::kAuthid;
  auto rows = connection.Query(kFromAuthid);
  if (!rows.ok() && ToSqlError(rows.status()).sqlstate == sqlstate::kInsufficientPrivilege) {
    source = Source::kRoles;
    if (!std::exchange(warned_, true)) {
      LogWarning(
          "the control role may not read pg_authid: no client can log in by scram-sha-256; "
          "make it a superuser or GRANT SELECT ON pg_catalog.pg_authid",
          {{"node", connection.name()}});
    }
    rows = connection.Query(kFromRoles);
  }
  if (!rows.ok()) return rows.status();
  if (source == Source::kAuthid) warned_ = false;
  Roles roles = RolesFrom(*rows, source);
  if (roles_ == nullptr || !(*roles_ == roles)) {
    roles_ = std::make_shared<const Roles>(std::move(roles));
  }
  return roles_;
}

}  // namespace meridian
