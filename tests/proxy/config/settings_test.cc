#include "proxy/config/settings.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "proxy/config/setting_table.h"

namespace meridian {
namespace {

const SettingRow* Find(const std::vector<SettingRow>& rows, std::string_view name) {
  for (const SettingRow& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

TEST(Describe, ListsEverySettingWithItsValue) {
  Config config;
  config.queue_timeout = std::chrono::milliseconds(1'500);
  config.catalog.dbname = "shop";
  config.databases = {{"shop", PoolMode::kSession, 30}};
  config.admin_users = {{"ann", "hunter2"}};
  const std::vector<SettingRow> rows = Describe(config);
  EXPECT_EQ(rows.size(), ConfigSettings().size() + 3 + 1);  // of the database, of the user
  std::set<std::string> names;
  for (const SettingRow& row : rows) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.description.empty()) << row.name;
    EXPECT_EQ(row.value.find("hunter2"), std::string::npos);
  }
  ASSERT_NE(Find(rows, "queue_timeout"), nullptr);
  EXPECT_EQ(Find(rows, "queue_timeout")->value, "1500ms");
  EXPECT_EQ(Find(rows, "queue_timeout")->unit, "time");
  EXPECT_EQ(Find(rows, "queue_timeout")->default_value, "2min");
  EXPECT_TRUE(Find(rows, "queue_timeout")->reloadable);
  EXPECT_FALSE(Find(rows, "workers")->reloadable);
  EXPECT_EQ(Find(rows, "max_statement_size")->value, "64kB");
  EXPECT_EQ(Find(rows, "max_statement_size")->unit, "bytes");
  EXPECT_EQ(Find(rows, "max_message_size")->value, "1GB");
  EXPECT_EQ(Find(rows, "client_idle_timeout")->value, "0");
  EXPECT_EQ(Find(rows, "listen_hosts")->value, "localhost");
  EXPECT_EQ(Find(rows, "auth.tcp")->value, "scram-sha-256");
  EXPECT_EQ(Find(rows, "catalog.dbname")->default_value, "(required)");
  EXPECT_EQ(Find(rows, "database.shop.pool_mode")->value, "session");
  EXPECT_EQ(Find(rows, "database.shop.pool_size")->value, "30");
  EXPECT_EQ(Find(rows, "admin.user.ann.password")->value, "********");
}

TEST(Describe, ShowsWhetherASecretIsSet) {
  Config config;
  EXPECT_EQ(Find(Describe(config), "catalog.password")->value, "");
  config.catalog.password = "hunter2";
  EXPECT_EQ(Find(Describe(config), "catalog.password")->value, "********");
}

TEST(AllSettings, HaveDefaultsWithinTheirLimits) {
  const Config defaults;
  for (const auto& setting : ConfigSettings()) {
    if (setting.Is(SettingFlags::kRequired)) continue;
    const std::string type = setting.type(setting.limits).words;
    SettingInput input = setting.format(defaults);
    if (type.starts_with("integer")) input = int64_t{std::stoll(setting.format(defaults))};
    if (type == "list of texts") input = defaults.listen_hosts;
    Config copy;
    EXPECT_EQ(setting.read(input, setting.limits, copy), "") << setting.name;
    EXPECT_TRUE(setting.same(copy, defaults)) << setting.name;
  }
}

// The rows | `name` | type | default | reload | meaning | of docs/configuration.md.
std::vector<std::string> Documented() {
  std::ifstream file(MERIDIAN_SOURCE_DIR "/docs/configuration.md");
  EXPECT_TRUE(file.is_open());
  std::vector<std::string> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| `")) rows.push_back(line);
  }
  return rows;
}

std::string DocumentationOf(const SettingDoc& setting) {
  std::string value = setting.default_value;
  if (value.empty()) {
    value = "(empty)";
  } else if (value[0] != '(' && value[0] != '`') {
    value = fmt::format("`{}`", value);
  }
  return fmt::format("| `{}` | {} | {} | {} | {} |", setting.name, setting.type, value,
                     setting.reloadable ? "yes" : "no", setting.description);
}

TEST(ConfigurationDocumentation, ListsTheSettingsAsTheyAre) {
  std::vector<std::string> expected;
  for (const SettingDoc& setting : AllSettings()) expected.push_back(DocumentationOf(setting));
  const std::vector<std::string> documented = Documented();
  EXPECT_THAT(documented, testing::UnorderedElementsAreArray(expected));
  if (!HasFailure()) return;
  std::string rows;
  for (const std::string& row : expected) rows += row + "\n";
  ADD_FAILURE() << "The rows should be:\n" << rows;
}

}  // namespace
}  // namespace meridian
