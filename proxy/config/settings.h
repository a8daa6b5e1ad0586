// The one table of all settings: it drives the loader, SHOW SETTINGS, reload and the check of
// docs/configuration.md. To add a setting, add a member in config.h, a row in settings.cc and a
// row in the documentation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/config.h"

namespace meridian {

// One row of SHOW SETTINGS. Values look as in the file, without quotes.
struct SettingRow {
  std::string name;           // "pool_size", "log.level", "database.shop.pool_size"
  std::string value;          // secrets: "********" if set, otherwise empty
  std::string unit;           // what the unit in the value measures: "time", "bytes" or empty
  std::string default_value;  // "(required)" if there is none
  bool reloadable = false;    // by SIGHUP and RELOAD; otherwise at the next start
  std::string description;
};
// The settings with their values; those of the databases and admin users once for each.
[[nodiscard]] std::vector<SettingRow> Describe(const Config& config);

// The settings as such, for documentation: those of databases as "database.name" and so on.
struct SettingDoc {
  std::string name;
  std::string
      type;  // "integer", "duration", "size", "text", "list of texts" or the choices, with limits
  std::string default_value;
  bool reloadable = false;
  std::string description;
};
[[nodiscard]] std::vector<SettingDoc> AllSettings();

}  // namespace meridian
