// Session variables of our own: SET meridian.*. See docs/configuration.md.
#pragma once

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/config/config.h"
#include "router/router.h"

namespace meridian {

// meridian.snapshot: which snapshots of several shards belong together.
enum class SnapshotMode : uint8_t {
  kTransaction,  // those of a transaction in REPEATABLE READ
  kConsistent,   // ... and of a single statement that reads several shards
  kLocal,        // none
};

struct MeridianSettings {
  std::string shard;             // empty: not set
  std::string distribution_key;  // empty: not set
  // meridian.multi_shard_commit: "best_effort" instead of "two_phase".
  bool best_effort_commit = false;
  // meridian.commit_returns: "decided" instead of "done".
  bool commit_returns_decided = false;
  SnapshotMode snapshot = SnapshotMode::kTransaction;
  ReadConsistency read_consistency = ReadConsistency::kReadYourWrites;
  uint32_t max_staleness_ms = 1'000;
  friend bool operator==(const MeridianSettings&, const MeridianSettings&) = default;
};

// One of them.
struct MeridianSetting {
  std::string_view name;
  std::string (*show)(const MeridianSettings& settings);
  // 22023 where the value is not one of its values, or what the router says.
  absl::Status (*set)(MeridianSettings& settings, std::string_view value, const Router& router);
  // Takes its value from others.
  void (*copy)(MeridianSettings& settings, const MeridianSettings& from);
};

absl::Span<const MeridianSetting> AllMeridianSettings();
// nullptr: there is none of this name.
const MeridianSetting* FindMeridianSetting(std::string_view name);
// 42704 for a name that FindMeridianSetting does not know.
absl::Status UnknownMeridianSetting(std::string_view name);

}  // namespace meridian
