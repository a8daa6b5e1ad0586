// The rows of the table of settings, for the loader, SHOW SETTINGS and reload.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "proxy/config/config.h"
#include "proxy/config/setting_value.h"

namespace meridian {

enum class SettingFlags : uint8_t {
  kNone = 0,
  kReloadable = 1,
  kSecret = 2,    // never shown
  kRequired = 4,  // has no default, must not be empty
};
constexpr SettingFlags operator|(SettingFlags a, SettingFlags b) {
  return static_cast<SettingFlags>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b));
}

// One setting of an `Owner`: Config, or an element of one of its lists of tables.
template <typename Owner>
struct Setting {
  std::string_view name;  // as in the file, with the tables it stands in: "log.level"
  SettingFlags flags;
  std::string_view description;
  std::string_view default_words;  // instead of the value of a fresh Owner, if not empty
  SettingLimits limits;

  std::string (*read)(const SettingInput&, const SettingLimits&, Owner&);  // see ReadSetting
  std::string (*format)(const Owner&);
  SettingType (*type)(const SettingLimits&);
  bool (*same)(const Owner&, const Owner&);
  void (*copy)(Owner& to, const Owner& from);

  bool Is(SettingFlags flag) const {
    return (static_cast<uint8_t>(flags) & static_cast<uint8_t>(flag)) != 0;
  }
};

std::span<const Setting<Config>> ConfigSettings();
// Of an element of [[database]], [[admin.user]], [[node]] and [[user]]; their key is `name`, which
// is the first.
std::span<const Setting<DatabaseConfig>> DatabaseSettings();
std::span<const Setting<AdminUser>> AdminUserSettings();
std::span<const Setting<NodeConfig>> NodeSettings();
std::span<const Setting<UserConfig>> UserSettings();

// The setting whose name is most like `name`, as it would be written ("pool_size", "log.level");
// empty if none is like it.
std::string NearestSetting(std::string_view name);

}  // namespace meridian
