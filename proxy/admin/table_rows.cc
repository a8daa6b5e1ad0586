#include "proxy/admin/table_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sharding/calendar.h"

namespace meridian {

AdminValue NumberValue(uint64_t number) { return std::to_string(number); }

AdminValue IntegerValue(uint64_t number) {
  constexpr uint64_t kMax = std::numeric_limits<int32_t>::max();
  return std::to_string(std::min(number, kMax));
}

AdminValue BoolValue(bool value) { return value ? "t" : "f"; }

AdminValue TextOrNull(std::string_view text) {
  return text.empty() ? std::nullopt : AdminValue(text);
}

std::string TimeText(UnixMicros time) {
  if (time == 0) return {};
  constexpr int64_t kDaySeconds = 86'400;
  constexpr int64_t kDaysTo2000 = 10'957;  // from 1970-01-01
  const int64_t seconds = FloorDiv(time, 1'000'000);
  const int64_t days = FloorDiv(seconds, kDaySeconds);
  const int64_t of_day = seconds - days * kDaySeconds;
  const CivilDate date = CivilFromDays(days - kDaysTo2000);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", date.year, date.month, date.day,
                     of_day / 3600, of_day / 60 % 60, of_day % 60);
}

std::string TransactionText(char transaction_status) {
  switch (transaction_status) {
    case 'T':
      return "in transaction";
    case 'E':
      return "failed";
    default:
      return "idle";
  }
}

NodeRole RoleOf(const ShardNodes& nodes, const NodeAddress& address) {
  const NodeState* primary = nodes.Primary();
  if (primary != nullptr && primary->address == address) return NodeRole::kPrimary;
  const bool replica = std::any_of(nodes.replicas.begin(), nodes.replicas.end(),
                                   [&](size_t i) { return nodes.nodes[i].address == address; });
  return replica ? NodeRole::kReplica : NodeRole::kUnknown;
}

std::optional<PoolPlace> PlaceOf(const PoolKey& pool, const Snapshot& snapshot) {
  const std::vector<Shard>& shards = snapshot.map->shards();
  for (size_t s = 0; s < shards.size(); ++s) {
    const Shard& shard = shards[s];
    // Shards that share a host have a database each.
    if (!shard.dbname.empty() && shard.dbname != pool.database) continue;
    if (std::find(shard.nodes.begin(), shard.nodes.end(), pool.node) == shard.nodes.end()) continue;
    const ShardIndex index{static_cast<uint16_t>(s)};
    return PoolPlace{index, RoleOf(snapshot.nodes->of(index), pool.node)};
  }
  return std::nullopt;
}

std::string ClientDatabase(const PoolKey& pool, const Config& config) {
  const bool only_one = config.databases.size() == 1;
  if (only_one && config.FindDatabase(pool.database) == nullptr) return config.databases[0].name;
  return pool.database;
}

}  // namespace meridian
