#include "sharding/admin/role_copy.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "sharding/catalog/text_array.h"
#include "sharding/quote.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Those that initdb has not made.
constexpr char kRolesSql[] = R"sql(SELECT rolname, format(
    'CREATE ROLE %I %s %s %s %s %s %s %s CONNECTION LIMIT %s PASSWORD %L', rolname,
    CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
    CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
    CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
    CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
    CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
    CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
    CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
    rolconnlimit, rolpassword)
  || CASE WHEN rolvaliduntil IS NULL THEN '' ELSE format(' VALID UNTIL %L', rolvaliduntil) END
FROM pg_catalog.pg_authid WHERE oid >= 16384 ORDER BY rolname)sql";

constexpr char kMembershipsSql[] = R"sql(SELECT format('GRANT %I TO %I%s', g.rolname, m.rolname,
    CASE WHEN a.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END)
FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
JOIN pg_catalog.pg_roles m ON m.oid = a.member WHERE m.rolname = ANY ($1::text[]) ORDER BY 1)sql";

// Of all databases, and of the one that the shards share.
constexpr char kSettingsSql[] = R"sql(SELECT r.rolname, s.setdatabase <> 0,
    split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole,
  unnest(s.setconfig) c
WHERE r.rolname = ANY ($1::text[]) AND (s.setdatabase = 0 OR s.setdatabase =
  (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) ORDER BY 1, 2)sql";

absl::StatusOr<std::set<std::string>> RolesOf(PgConnection& shard) {
  auto rows = shard.Query("SELECT rolname FROM pg_catalog.pg_roles");
  if (!rows.ok()) return rows.status();
  std::set<std::string> names;
  for (size_t r = 0; r < rows->rows(); ++r) names.insert(rows->Text(r, 0));
  return names;
}

// A value that is a list is set as it is, which its text in SQL would not say.
absl::Status CopySetting(const PgResult& settings, size_t row, PgConnection& to) {
  const std::string role = QuoteIdentifier(settings.Text(row, 0));
  const std::string name = settings.Text(row, 2);
  auto set = to.Query("SELECT set_config($1, $2, true), quote_ident(current_database())",
                      {{name}, {settings.Text(row, 3)}});
  if (!set.ok()) return set.status();
  const std::string where =
      settings.Get(row, 1) == "t" ? " IN DATABASE " + set->Text(0, 1) : std::string();
  return to
      .Script(
          fmt::format("ALTER ROLE {}{} SET {} FROM CURRENT", role, where, QuoteIdentifier(name)))
      .status();
}

}  // namespace

absl::Status CopyRoles(PgConnection& from, PgConnection& to) {
  auto roles = from.Query(kRolesSql);
  if (!roles.ok()) {
    const bool may_not = ToSqlError(roles.status()).sqlstate == sqlstate::kInsufficientPrivilege;
    return may_not ? absl::OkStatus() : roles.status();
  }
  const auto there = RolesOf(to);
  if (!there.ok()) return there.status();
  std::vector<std::string> missing;
  std::string script;
  for (size_t r = 0; r < roles->rows(); ++r) {
    if (there->contains(roles->Text(r, 0))) continue;
    missing.push_back(roles->Text(r, 0));
    script += roles->Text(r, 1) + ";";
  }
  if (missing.empty()) return absl::OkStatus();
  const PgParameter names = FormatTextArray(missing);
  auto memberships = from.Query(kMembershipsSql, {names});
  if (!memberships.ok()) return memberships.status();
  for (size_t r = 0; r < memberships->rows(); ++r) script += memberships->Text(r, 0) + ";";
  auto settings = from.Query(kSettingsSql, {names});
  if (!settings.ok()) return settings.status();
  return InTransaction(to, "BEGIN", [&]() -> absl::Status {
    if (auto created = to.Script(script); !created.ok()) return created.status();
    for (size_t r = 0; r < settings->rows(); ++r) {
      if (absl::Status copied = CopySetting(*settings, r, to); !copied.ok()) return copied;
    }
    return absl::OkStatus();
  });
}

}  // namespace meridian
