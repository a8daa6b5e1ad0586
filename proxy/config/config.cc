#include "proxy/config/config.h"

#include <algorithm>
#include <utility>

#include "proxy/config/setting_table.h"

namespace meridian {
namespace {

bool SameDatabases(const Config& a, const Config& b) {
  return a.databases.size() == b.databases.size() &&
         std::all_of(a.databases.begin(), a.databases.end(), [&](const DatabaseConfig& database) {
           return b.FindDatabase(database.name) != nullptr;
         });
}

// Takes the reloadable settings of `loaded` over into `running`, and tells which of the others
// differ.
template <typename Owner>
void TakeOver(std::span<const Setting<Owner>> settings, const Owner& loaded, Owner& running,
              std::vector<std::string>& needs_restart) {
  for (const Setting<Owner>& setting : settings) {
    if (setting.same(running, loaded)) continue;
    if (setting.Is(SettingFlags::kReloadable)) {
      setting.copy(running, loaded);
    } else {
      needs_restart.emplace_back(setting.name);
    }
  }
}

}  // namespace

const DatabaseConfig* Config::FindDatabase(std::string_view name) const {
  for (const DatabaseConfig& database : databases) {
    if (database.name == name) return &database;
  }
  return nullptr;
}

const NodeConfig* Config::FindNode(std::string_view address) const {
  for (const NodeConfig& node : nodes) {
    if (node.address == address) return &node;
  }
  return nullptr;
}

const UserConfig* Config::FindUser(std::string_view name) const {
  for (const UserConfig& user : users) {
    if (user.name == name) return &user;
  }
  return nullptr;
}

const AdminUser* Config::FindAdminUser(std::string_view name) const {
  for (const AdminUser& user : admin_users) {
    if (user.name == name) return &user;
  }
  return nullptr;
}

ConfigReload Diff(const Config& running, const Config& loaded) {
  ConfigReload reload{.config = running, .needs_restart = {}};
  TakeOver(ConfigSettings(), loaded, reload.config, reload.needs_restart);
  for (DatabaseConfig& database : reload.config.databases) {
    const DatabaseConfig* const next = loaded.FindDatabase(database.name);
    if (next != nullptr) {
      TakeOver(DatabaseSettings(), *next, database, reload.needs_restart);
    }
  }
  if (!SameDatabases(running, loaded)) reload.needs_restart.emplace_back("database");
  reload.config.admin_users = loaded.admin_users;
  reload.config.nodes = loaded.nodes;
  reload.config.users = loaded.users;
  const auto begin = reload.needs_restart.begin();
  std::sort(begin, reload.needs_restart.end());
  reload.needs_restart.erase(std::unique(begin, reload.needs_restart.end()),
                             reload.needs_restart.end());
  return reload;
}

}  // namespace meridian
