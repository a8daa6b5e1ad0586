#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "sharding/admin/edit.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// The lower bounds of `count` equal parts of the 64-bit hash space; the first is MINVALUE.
std::vector<KeyBound> EvenCuts(size_t count) {
  std::vector<KeyBound> cuts(1);
  const auto space = static_cast<unsigned __int128>(1) << 64;
  for (size_t i = 1; i < count; ++i) {
    const auto offset = static_cast<uint64_t>(space * i / count);
    const auto cut =
        static_cast<int64_t>(offset + static_cast<uint64_t>(std::numeric_limits<int64_t>::min()));
    cuts.push_back(KeyBound{{KeyValue(cut)}});
  }
  return cuts;
}

absl::Status CheckShards(const CreateDistribution& command, MapDraft& draft) {
  std::set<std::string_view> seen;
  for (const std::string& name : command.shards) {
    if (auto shard = RequireShard(draft, name); !shard.ok()) return shard.status();
    if (!seen.insert(name).second) {
      return SqlStatus(sqlstate::kInvalidParameterValue,
                       fmt::format("shard \"{}\" is named twice", name));
    }
  }
  if (draft.shards.empty()) {
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState, "there is no shard yet",
                     "Create the shards first: CREATE SHARD name OPTIONS (HOST 'host:port').");
  }
  if (!command.columns.front().hashed && command.shards.size() > 1) {
    return SqlStatus(sqlstate::kInvalidParameterValue,
                     "only a hashed key space can be cut evenly over several shards",
                     "Write HASH behind the first type, or leave SHARDS out and create the key "
                     "ranges: CREATE KEY RANGE FROM MINVALUE ROUTE TO ...");
  }
  return absl::OkStatus();
}

bool RangeExists(const MapDraft& draft, std::string_view name) {
  for (const DraftDistribution& distribution : draft.distributions) {
    for (const DraftRange& range : distribution.ranges) {
      if (range.name == name) return true;
    }
  }
  return false;
}

// The owners of a new distribution's ranges, in order; empty: no ranges yet.
std::vector<std::string> InitialOwners(const CreateDistribution& command, const MapDraft& draft) {
  if (!command.shards.empty() || !command.columns.front().hashed) return command.shards;
  std::vector<std::string> owners;
  for (const Shard& shard : draft.shards) owners.push_back(shard.name);
  return owners;
}

}  // namespace

absl::StatusOr<DraftDistribution*> RequireDistribution(MapDraft& draft, std::string_view name) {
  if (DraftDistribution* distribution = draft.FindDistribution(name)) return distribution;
  return SqlStatus(sqlstate::kUndefinedObject,
                   fmt::format("distribution \"{}\" does not exist", name),
                   "SHOW DISTRIBUTIONS lists the distributions.");
}

absl::Status Apply(const CreateDistribution& command, MapDraft& draft) {
  if (draft.FindDistribution(command.name) != nullptr) {
    return SqlStatus(sqlstate::kDuplicateObject,
                     fmt::format("distribution \"{}\" already exists", command.name));
  }
  if (absl::Status shards = CheckShards(command, draft); !shards.ok()) return shards;
  DraftDistribution distribution{command.name, command.columns, {}};
  const std::vector<std::string> owners = InitialOwners(command, draft);
  const std::vector<KeyBound> cuts = EvenCuts(owners.size());
  for (size_t i = 0; i < owners.size(); ++i) {
    std::string name = fmt::format("{}_{}", command.name, i + 1);
    if (RangeExists(draft, name)) {
      return SqlStatus(sqlstate::kDuplicateObject,
                       fmt::format("key range \"{}\" already exists", name),
                       "Give the distribution another name: its ranges are named after it.");
    }
    distribution.ranges.push_back({std::move(name), cuts[i], owners[i]});
  }
  draft.distributions.push_back(std::move(distribution));
  return absl::OkStatus();
}

absl::Status Apply(const DropDistribution& command, MapDraft& draft) {
  auto distribution = RequireDistribution(draft, command.name);
  if (!distribution.ok()) return distribution.status();
  for (const DraftTable& table : draft.tables) {
    if (table.kind == MappedTable::Kind::kSharded && table.distribution == command.name) {
      return SqlStatus(
          "2BP01",
          fmt::format("distribution \"{}\" has the table {}", command.name, table.name.ToString()),
          fmt::format("ALTER DISTRIBUTION {} DETACH TABLE {} first.", QuoteIdentifier(command.name),
                      table.name.ToString()));
    }
  }
  draft.distributions.erase(draft.distributions.begin() +
                            (*distribution - draft.distributions.data()));
  return absl::OkStatus();
}

}  // namespace meridian
