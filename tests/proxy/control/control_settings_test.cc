#include "proxy/control/control_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Pair;

Config Configured() {
  Config config;
  config.databases = {{.name = "shop"}, {.name = "other"}};
  config.catalog = {.host = "c.example",
                    .port = 5433,
                    .dbname = "cat",
                    .user = "meridian",
                    .password = "secret",
                    .passfile = "/etc/pass"};
  config.control.node_check_interval = 700ms;
  config.control.schema_poll_interval = 3s;
  config.control.catalog_poll_interval = 4s;
  return config;
}

TEST(ControlSettings, LoginsComeFromTheCatalogSection) {
  const ControlSettings settings = ControlSettingsOf(Configured());
  EXPECT_EQ(settings.catalog.target.address, (NodeAddress{"c.example", 5433}));
  EXPECT_EQ(settings.catalog.target.dbname, "cat");
  EXPECT_EQ(settings.catalog.target.password, "secret");
  EXPECT_EQ(settings.catalog.target.application_name, "meridian control");
  EXPECT_THAT(settings.catalog.target.parameters, ElementsAre(Pair("passfile", "/etc/pass")));
  EXPECT_EQ(settings.shards.login.user, "meridian");
  EXPECT_EQ(settings.shards.login.password, "secret");
  EXPECT_EQ(settings.shards.login.dbname, "shop");
  EXPECT_EQ(settings.node_check_interval, 700ms);
  EXPECT_EQ(settings.schema_poll_interval, 3s);
  EXPECT_EQ(settings.catalog_poll_interval, 4s);
}

TEST(ControlSettings, TheCatalogsPasswordIsNotSentForAnotherUser) {
  Config config = Configured();
  config.control.user = "watcher";
  const ControlSettings settings = ControlSettingsOf(config);
  EXPECT_EQ(settings.catalog.target.user, "meridian");
  EXPECT_EQ(settings.shards.login.user, "watcher");
  EXPECT_EQ(settings.shards.login.password, "");
  EXPECT_THAT(settings.shards.login.parameters, ElementsAre(Pair("passfile", "/etc/pass")));
}

TEST(ControlSettings, WithoutDatabasesTheCatalogsIsRead) {
  Config config = Configured();
  config.databases.clear();
  EXPECT_EQ(ControlSettingsOf(config).shards.login.dbname, "cat");
}

TEST(ControlSettings, AShortConnectTimeoutHolds) {
  Config config = Configured();
  EXPECT_EQ(ControlSettingsOf(config).shards.login.connect_timeout, kControlConnectTimeout);
  config.connect_timeout = 500ms;
  EXPECT_EQ(ControlSettingsOf(config).shards.login.connect_timeout, 500ms);
}

}  // namespace
}  // namespace meridian
