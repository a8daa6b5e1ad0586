#include "proxy/control/prepared_board.h"

#include <algorithm>
#include <utility>

namespace meridian {

void PreparedBoard::Set(const std::string& shard, std::vector<PreparedTransaction> prepared,
                        Clock::time_point when) {
  const std::lock_guard lock(mu_);
  shards_[shard] = {std::move(prepared), when, {}};
}

void PreparedBoard::SetError(const std::string& shard, std::string error) {
  const std::lock_guard lock(mu_);
  shards_[shard].error = std::move(error);
}

void PreparedBoard::Keep(const ShardMap& map) {
  const std::lock_guard lock(mu_);
  for (auto entry = shards_.begin(); entry != shards_.end();) {
    const auto next = std::next(entry);
    if (!map.FindShard(entry->first)) shards_.erase(entry);
    entry = next;
  }
}

std::vector<PreparedTransaction> PreparedBoard::All() const {
  const std::lock_guard lock(mu_);
  std::vector<PreparedTransaction> all;
  for (const auto& [shard, entry] : shards_) {
    all.insert(all.end(), entry.prepared.begin(), entry.prepared.end());
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.shard) < std::tie(b.name, b.shard);
  });
  return all;
}

std::vector<std::pair<std::string, std::string>> PreparedBoard::Errors() const {
  const std::lock_guard lock(mu_);
  std::vector<std::pair<std::string, std::string>> errors;
  for (const auto& [shard, entry] : shards_) {
    if (!entry.error.empty()) errors.emplace_back(shard, entry.error);
  }
  std::sort(errors.begin(), errors.end());
  return errors;
}

std::optional<std::set<std::string>> PreparedBoard::NamesSince(const ShardMap& map,
                                                               Clock::time_point since) const {
  const std::lock_guard lock(mu_);
  std::set<std::string> names;
  for (const Shard& shard : map.shards()) {
    const auto found = shards_.find(shard.name);
    if (found == shards_.end() || !found->second.when || *found->second.when < since) {
      return std::nullopt;
    }
    for (const PreparedTransaction& prepared : found->second.prepared) names.insert(prepared.name);
  }
  return names;
}

}  // namespace meridian
