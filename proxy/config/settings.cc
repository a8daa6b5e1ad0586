#include "proxy/config/settings.h"

#include <fmt/format.h>

#include "proxy/config/setting_table.h"

namespace meridian {
namespace {

constexpr std::string_view kMask = "********";
constexpr std::string_view kRequiredWords = "(required)";

template <typename Owner>
std::string DefaultOf(const Setting<Owner>& setting) {
  if (setting.Is(SettingFlags::kRequired)) return std::string(kRequiredWords);
  if (!setting.default_words.empty()) return std::string(setting.default_words);
  return setting.format(Owner{});
}

template <typename Owner>
SettingRow RowOf(const Setting<Owner>& setting, const Owner& owner, std::string name) {
  std::string value = setting.format(owner);
  if (setting.Is(SettingFlags::kSecret) && !value.empty()) value = kMask;
  return {.name = std::move(name),
          .value = std::move(value),
          .unit = std::string(setting.type(setting.limits).unit),
          .default_value = DefaultOf(setting),
          .reloadable = setting.Is(SettingFlags::kReloadable),
          .description = std::string(setting.description)};
}

// The settings of one element of a list of tables: its own name, the first, is part of theirs.
template <typename Owner>
void AddElement(std::vector<SettingRow>& rows, std::span<const Setting<Owner>> settings,
                const Owner& element) {
  for (const Setting<Owner>& setting : settings.subspan(1)) {
    const size_t dot = setting.name.rfind('.');
    rows.push_back(RowOf(setting, element,
                         fmt::format("{}.{}{}", setting.name.substr(0, dot),
                                     settings.front().format(element), setting.name.substr(dot))));
  }
}

template <typename Owner>
void AddDocs(std::vector<SettingDoc>& docs, std::span<const Setting<Owner>> settings) {
  for (const Setting<Owner>& setting : settings) {
    docs.push_back({.name = std::string(setting.name),
                    .type = setting.type(setting.limits).words,
                    .default_value = DefaultOf(setting),
                    .reloadable = setting.Is(SettingFlags::kReloadable),
                    .description = std::string(setting.description)});
  }
}

}  // namespace

std::vector<SettingRow> Describe(const Config& config) {
  std::vector<SettingRow> rows;
  for (const Setting<Config>& setting : ConfigSettings()) {
    rows.push_back(RowOf(setting, config, std::string(setting.name)));
  }
  for (const DatabaseConfig& database : config.databases) {
    AddElement(rows, DatabaseSettings(), database);
  }
  for (const AdminUser& user : config.admin_users) AddElement(rows, AdminUserSettings(), user);
  for (const NodeConfig& node : config.nodes) AddElement(rows, NodeSettings(), node);
  for (const UserConfig& user : config.users) AddElement(rows, UserSettings(), user);
  return rows;
}

std::vector<SettingDoc> AllSettings() {
  std::vector<SettingDoc> docs;
  AddDocs(docs, ConfigSettings());
  AddDocs(docs, DatabaseSettings());
  AddDocs(docs, AdminUserSettings());
  AddDocs(docs, NodeSettings());
  AddDocs(docs, UserSettings());
  return docs;
}

}  // namespace meridian
