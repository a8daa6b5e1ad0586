#include "proxy/pool/settings.h"

#include <algorithm>
#include <iterator>

#include "sharding/ascii.h"

namespace meridian {
namespace {

std::string Folded(std::string_view name) {
  std::string folded(name);
  std::transform(folded.begin(), folded.end(), folded.begin(), AsciiLower);
  return folded;
}

// Two lists of entries have the same key exactly if they are the same: neither names nor values
// hold a zero byte, since they come from messages in which it ends a string.
std::string KeyOf(const std::vector<Settings::Entry>& entries) {
  std::string key;
  for (const auto& [name, value] : entries) {
    key.append(name).push_back('\0');
    key.append(value).push_back('\0');
  }
  return key;
}

bool NameLess(const Settings::Entry& entry, std::string_view name) { return entry.first < name; }

}  // namespace

Settings::Settings(SettingsRegistry* registry, std::vector<Entry> entries, std::string key)
    : registry_(registry), entries_(std::move(entries)), key_(std::move(key)) {}

Settings::~Settings() { registry_->by_key_.erase(key_); }

const std::string* Settings::Find(std::string_view name) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), name, NameLess);
  return found != entries_.end() && found->first == name ? &found->second : nullptr;
}

SettingsRegistry::SettingsRegistry() : empty_(Intern({})) {}
SettingsRegistry::~SettingsRegistry() = default;

Ref<const Settings> SettingsRegistry::Intern(std::vector<Settings::Entry> entries) {
  for (auto& [name, value] : entries) name = Folded(name);
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // Of equal names the last stays.
  const auto first_kept =
      std::unique(entries.rbegin(), entries.rend(), [](const auto& a, const auto& b) {
        return a.first == b.first;
      }).base();
  entries.erase(entries.begin(), first_kept);

  std::string key = KeyOf(entries);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) return Ref<const Settings>(found->second);
  Ref<const Settings> settings(new Settings(this, std::move(entries), key));
  by_key_.emplace(std::move(key), settings.get());
  return settings;
}

Ref<const Settings> SettingsRegistry::With(const Settings& settings, std::string_view name,
                                           const std::optional<std::string>& value) {
  const std::string folded = Folded(name);
  std::vector<Settings::Entry> entries = settings.entries();
  const auto place = std::lower_bound(entries.begin(), entries.end(), folded, NameLess);
  const bool present = place != entries.end() && place->first == folded;
  if (!value) {
    if (present) entries.erase(place);
  } else if (present) {
    place->second = *value;
  } else {
    entries.insert(place, {folded, *value});
  }
  return Intern(std::move(entries));
}

}  // namespace meridian
