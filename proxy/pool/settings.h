// The session settings (GUCs) that a client has set, as interned immutable values: two sessions of
// one worker that want the same settings hold the same object, so "has this server connection what
// this session wants?" is one pointer comparison.
//
// One per worker, one thread. Values are as set_config takes them ("a, b" for a list).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "router/ref.h"
#include "sharding/string_map.h"

namespace meridian {

class SettingsRegistry;

class Settings : public RefCounted {
 public:
  using Entry = std::pair<std::string, std::string>;  // name (lower case), value
  ~Settings();

  const std::vector<Entry>& entries() const { return entries_; }  // sorted by name
  const std::string* Find(std::string_view name) const;
  bool empty() const { return entries_.empty(); }

 private:
  friend class SettingsRegistry;
  Settings(SettingsRegistry* registry, std::vector<Entry> entries, std::string key);

  SettingsRegistry* registry_;
  std::vector<Entry> entries_;
  std::string key_;
};

class SettingsRegistry {
 public:
  SettingsRegistry();
  ~SettingsRegistry();  // after all Settings
  SettingsRegistry(const SettingsRegistry&) = delete;
  SettingsRegistry& operator=(const SettingsRegistry&) = delete;

  // The settings with these entries; a later entry of the same name wins, names are folded.
  Ref<const Settings> Intern(std::vector<Settings::Entry> entries);
  Ref<const Settings> Empty() const { return empty_; }
  // `settings` with one entry set, or removed where `value` is nullopt.
  Ref<const Settings> With(const Settings& settings, std::string_view name,
                           const std::optional<std::string>& value);
  size_t size() const { return by_key_.size(); }

 private:
  friend class Settings;
  StringMap<const Settings*> by_key_;
  Ref<const Settings> empty_;
};

// SQL that turns the settings `from` into `to` on a server connection: empty when there is nothing
// to do. One or more statements, separated by ';', for one simple Query. `role` and
// `session_authorization` come last, since they change what may be set.
std::string SettingsChangeSql(const Settings& from, const Settings& to);

// What SettingsChangeSql(from, to) overrides of SET LOCAL values, when it is sent inside of their
// transaction: SQL that sets them again, behind it. Empty where there is none.
std::string SetLocalAgainSql(const Settings& local, const Settings& from, const Settings& to);

// The value that set_config needs for `SET name TO arguments` (PostgreSQL:
// flatten_set_variable_args; the elements of lists that hold identifiers, such as search_path, are
// quoted as identifiers).
std::string FlattenSetting(std::string_view name, const std::vector<std::string>& arguments);
// The elements of such a list (PostgreSQL: SplitIdentifierString); nullopt when it is not one.
std::optional<std::vector<std::string>> SplitIdentifierList(std::string_view list);

}  // namespace meridian
