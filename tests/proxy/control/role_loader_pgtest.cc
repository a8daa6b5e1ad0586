#include "proxy/control/role_loader.h"

#include <gtest/gtest.h>

#include "proxy/control/default_shard.h"
#include "tests/proxy/control/control_cluster.h"

namespace meridian {
namespace {

using std::chrono::system_clock;

class RoleLoaderTest : public testing::Test {
 protected:
  static PgCluster& Server() {
    static PgCluster server;
    return server;
  }
  std::shared_ptr<const Roles> Load(RoleLoader& loader, const std::string& user = "postgres") {
    auto connection = PgConnection::Connect(ForReading(TargetOn(Server(), user)));
    if (!connection.ok()) return nullptr;
    auto roles = loader.Load(*connection);
    EXPECT_TRUE(roles.ok()) << roles.status();
    return roles.ok() ? *roles : nullptr;
  }
  Connection sql_ = Server().Connect();
};

TEST_F(RoleLoaderTest, ReadsWhatALoginNeeds) {
  sql_.Query(R"sql(
    CREATE ROLE app LOGIN PASSWORD 'secret' CONNECTION LIMIT 7 VALID UNTIL '2100-01-01 00:00:00+00';
    CREATE ROLE nopass LOGIN;
    CREATE ROLE nologin PASSWORD 'secret';
    CREATE ROLE forever LOGIN VALID UNTIL 'infinity';
    CREATE ROLE never LOGIN VALID UNTIL '-infinity';
    CREATE ROLE far LOGIN VALID UNTIL '9999-01-01';
    SET password_encryption = 'md5';
    CREATE ROLE old LOGIN PASSWORD 'secret')sql");
  RoleLoader loader;
  const auto roles = Load(loader);
  const Role* app = roles->Find("app");
  ASSERT_NE(app, nullptr);
  EXPECT_EQ(app->password, Role::Password::kScram);
  auto keys = DeriveKeys("secret", app->verifier->salt, app->verifier->iterations);
  EXPECT_EQ(keys->stored_key, app->verifier->stored_key);
  EXPECT_TRUE(app->can_login);
  EXPECT_FALSE(app->superuser);
  EXPECT_EQ(app->connection_limit, 7);
  EXPECT_EQ(system_clock::to_time_t(*app->valid_until), 4102444800);
  EXPECT_EQ(roles->Find("nopass")->password, Role::Password::kNone);
  EXPECT_FALSE(roles->Find("nologin")->can_login);
  EXPECT_EQ(roles->Find("forever")->valid_until, std::nullopt);
  EXPECT_EQ(roles->Find("far")->valid_until, std::nullopt);
  EXPECT_LT(*roles->Find("never")->valid_until, system_clock::now());
  EXPECT_EQ(roles->Find("old")->password, Role::Password::kOther);
  EXPECT_TRUE(roles->Find("postgres")->superuser);
  EXPECT_EQ(roles->Find("postgres")->connection_limit, -1);
  EXPECT_EQ(roles->Find("nobody"), nullptr);
}

TEST_F(RoleLoaderTest, FollowsChangesAndSeesWhenThereAreNone) {
  RoleLoader loader;
  const auto first = Load(loader);
  EXPECT_EQ(Load(loader), first);
  sql_.Query("CREATE ROLE changing LOGIN PASSWORD 'a'");
  const auto created = Load(loader);
  sql_.Query("ALTER ROLE changing PASSWORD 'b'");
  const auto altered = Load(loader);
  EXPECT_NE(created->Find("changing")->verifier, altered->Find("changing")->verifier);
  sql_.Query("DROP ROLE changing");
  EXPECT_EQ(Load(loader)->Find("changing"), nullptr);
  // Snapshots that were given out do not change.
  EXPECT_NE(created->Find("changing"), nullptr);
}

TEST_F(RoleLoaderTest, WithoutPrivilegeThereAreRolesButNoVerifiers) {
  sql_.Query("CREATE ROLE humble LOGIN; CREATE ROLE other LOGIN PASSWORD 'x' CONNECTION LIMIT 3");
  RoleLoader loader;
  auto roles = Load(loader, "humble");
  EXPECT_EQ(roles->Find("other")->password, Role::Password::kNotAllowed);
  EXPECT_EQ(roles->Find("other")->connection_limit, 3);
  sql_.Query("GRANT SELECT ON pg_catalog.pg_authid TO humble");
  roles = Load(loader, "humble");
  EXPECT_EQ(roles->Find("other")->password, Role::Password::kScram);
}

}  // namespace
}  // namespace meridian
