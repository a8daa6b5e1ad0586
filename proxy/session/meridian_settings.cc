#include "proxy/session/meridian_settings.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "proxy/session/causality_token.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Settings = MeridianSettings;

absl::Status SetShard(Settings& settings, std::string_view value, const Router& router) {
  if (!value.empty() && !router.map().FindShard(value)) {
    return SqlStatus(sqlstate::kInvalidParameterValue,
                     "shard \"" + std::string(value) + "\" does not exist",
                     "SHOW SHARDS in the admin database lists them.");
  }
  settings.shard = std::string(value);
  return absl::OkStatus();
}

absl::Status SetDistributionKey(Settings& settings, std::string_view value, const Router& router) {
  if (!value.empty()) {
    if (auto shard = router.ShardOfKey(value); !shard.ok()) return shard.status();
  }
  settings.distribution_key = std::string(value);
  return absl::OkStatus();
}

absl::Status InvalidValue(std::string_view name, std::string_view value, std::string values) {
  return SqlStatus(
      sqlstate::kInvalidParameterValue,
      "invalid value for parameter \"" + std::string(name) + "\": \"" + std::string(value) + "\"",
      "Available values: " + values + ".");
}

// A setting of two words, of which `no` is the default.
absl::Status SetWord(bool& setting, std::string_view name, std::string_view value,
                     std::string_view yes, std::string_view no) {
  if (value != yes && value != no && !value.empty()) {
    return InvalidValue(name, value, std::string(no) + ", " + std::string(yes));
  }
  setting = value == yes;
  return absl::OkStatus();
}

constexpr std::string_view kSnapshot = "meridian.snapshot";
constexpr std::string_view kSnapshotModes[] = {"transaction", "consistent", "local"};

absl::Status SetSnapshot(Settings& settings, std::string_view value, const Router&) {
  if (value.empty()) value = kSnapshotModes[0];
  const auto* const found = std::find(std::begin(kSnapshotModes), std::end(kSnapshotModes), value);
  if (found == std::end(kSnapshotModes)) {
    return InvalidValue(kSnapshot, value, "transaction, consistent, local");
  }
  settings.snapshot = static_cast<SnapshotMode>(found - std::begin(kSnapshotModes));
  return absl::OkStatus();
}

constexpr std::string_view kReadConsistency = "meridian.read_consistency";

absl::Status SetReadConsistency(Settings& settings, std::string_view value, const Router&) {
  const auto* const found =
      std::find(kReadConsistencyNames.begin(), kReadConsistencyNames.end(), value);
  if (found == kReadConsistencyNames.end()) {
    std::string names;
    for (const std::string_view name : kReadConsistencyNames) {
      names.append(names.empty() ? "" : ", ").append(name);
    }
    return InvalidValue(kReadConsistency, value, names);
  }
  settings.read_consistency = static_cast<ReadConsistency>(found - kReadConsistencyNames.begin());
  return absl::OkStatus();
}

// As PostgreSQL's settings of time in milliseconds: 500, 500ms, 2s, 1min.
absl::Status SetMaxStaleness(Settings& settings, std::string_view value, const Router&) {
  constexpr std::pair<std::string_view, uint64_t> kUnits[] = {
      {"", 1}, {"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}};
  constexpr uint64_t kMax = 86'400'000;
  uint64_t number = 0;
  const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
  std::string_view unit = value.substr(static_cast<size_t>(read.ptr - value.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [name, ms] : kUnits) {
    if (unit != name || read.ec != std::errc()) continue;
    if (number > kMax / ms || number == 0) break;
    settings.max_staleness_ms = static_cast<uint32_t>(number * ms);
    return absl::OkStatus();
  }
  return SqlStatus(
      sqlstate::kInvalidParameterValue,
      "invalid value for parameter \"meridian.max_staleness\": \"" + std::string(value) + "\"",
      "A duration from 1ms to 24h; valid units are \"ms\", \"s\", \"min\" and \"h\".");
}

constexpr std::string_view kMultiShardCommit = "meridian.multi_shard_commit";
constexpr std::string_view kCommitReturns = "meridian.commit_returns";

constexpr MeridianSetting kSettings[] = {
    {"meridian.shard", [](const Settings& settings) { return settings.shard; }, SetShard,
     [](Settings& settings, const Settings& from) { settings.shard = from.shard; }},
    {"meridian.distribution_key",
     [](const Settings& settings) { return settings.distribution_key; }, SetDistributionKey,
     [](Settings& settings, const Settings& from) {
       settings.distribution_key = from.distribution_key;
     }},
    {kMultiShardCommit,
     [](const Settings& settings) {
       return std::string(settings.best_effort_commit ? "best_effort" : "two_phase");
     },
     [](Settings& settings, std::string_view value, const Router&) {
       return SetWord(settings.best_effort_commit, kMultiShardCommit, value, "best_effort",
                      "two_phase");
     },
     [](Settings& settings, const Settings& from) {
       settings.best_effort_commit = from.best_effort_commit;
     }},
    {kCommitReturns,
     [](const Settings& settings) {
       return std::string(settings.commit_returns_decided ? "decided" : "done");
     },
     [](Settings& settings, std::string_view value, const Router&) {
       return SetWord(settings.commit_returns_decided, kCommitReturns, value, "decided", "done");
     },
     [](Settings& settings, const Settings& from) {
       settings.commit_returns_decided = from.commit_returns_decided;
     }},
    {kSnapshot,
     [](const Settings& settings) {
       return std::string(kSnapshotModes[static_cast<size_t>(settings.snapshot)]);
     },
     SetSnapshot,
     [](Settings& settings, const Settings& from) { settings.snapshot = from.snapshot; }},
    {kReadConsistency,
     [](const Settings& settings) {
       return std::string(kReadConsistencyNames[static_cast<size_t>(settings.read_consistency)]);
     },
     SetReadConsistency,
     [](Settings& settings, const Settings& from) {
       settings.read_consistency = from.read_consistency;
     }},
    {"meridian.max_staleness",
     [](const Settings& settings) { return std::to_string(settings.max_staleness_ms) + "ms"; },
     SetMaxStaleness,
     [](Settings& settings, const Settings& from) {
       settings.max_staleness_ms = from.max_staleness_ms;
     }},
};

}  // namespace

absl::Span<const MeridianSetting> AllMeridianSettings() { return kSettings; }

const MeridianSetting* FindMeridianSetting(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kSettings), std::end(kSettings),
                   [name](const MeridianSetting& setting) { return setting.name == name; });
  return found == std::end(kSettings) ? nullptr : found;
}

absl::Status UnknownMeridianSetting(std::string_view name) {
  std::string names;
  for (const MeridianSetting& setting : kSettings) {
    names.append(names.empty() ? "" : ", ").append(setting.name);
  }
  names.append(", ").append(kCausalityToken);
  return SqlStatus(sqlstate::kUndefinedObject,
                   "unrecognized configuration parameter \"" + std::string(name) + "\"",
                   "Meridian's settings are " + names + ".");
}

}  // namespace meridian
