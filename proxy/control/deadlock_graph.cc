#include "proxy/control/deadlock_graph.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace meridian {
namespace {

using Edges = std::vector<WaitEdge>;

// Depth first from each waiter; the path is the stack.
class CircleFinder {
 public:
  explicit CircleFinder(const Edges& edges) : edges_(edges) {}

  // The edges of one circle; empty: there is none.
  Edges Find() {
    for (const WaitEdge& edge : edges_) {
      if (Visit(edge.waiter)) return path_;
    }
    return {};
  }

 private:
  bool Visit(const WaiterKey& key) {
    if (!done_.insert(key).second) return false;
    on_path_.insert(key);
    for (const WaitEdge& edge : edges_) {
      if (edge.waiter != key) continue;
      path_.push_back(edge);
      if (on_path_.contains(edge.blocker)) {
        const auto first = std::find_if(path_.begin(), path_.end(), [&](const WaitEdge& one) {
          return one.waiter == edge.blocker;
        });
        path_.erase(path_.begin(), first);
        return true;
      }
      if (Visit(edge.blocker)) return true;
      path_.pop_back();
    }
    on_path_.erase(key);
    return false;
  }

  const Edges& edges_;
  Edges path_;
  std::set<WaiterKey> on_path_;
  std::set<WaiterKey> done_;
};

bool IsOnOneShard(const Edges& circle) {
  return std::all_of(circle.begin(), circle.end(),
                     [&](const WaitEdge& edge) { return edge.shard == circle.front().shard; });
}

std::string Describe(const Edges& circle) {
  std::string text;
  for (const WaitEdge& edge : circle) {
    text += (text.empty() ? "" : " ") + edge.waiter + " waits on shard \"" + edge.shard +
            "\" for " + edge.blocker + ".";
  }
  return text;
}

std::optional<WaiterKey> YoungestOf(const Edges& circle,
                                    const std::map<WaiterKey, int64_t>& began) {
  std::optional<std::pair<int64_t, WaiterKey>> youngest;
  for (const WaitEdge& edge : circle) {
    const auto found = began.find(edge.waiter);
    if (found == began.end()) continue;
    const std::pair<int64_t, WaiterKey> candidate{found->second, found->first};
    if (!youngest || candidate > *youngest) youngest = candidate;
  }
  if (!youngest) return std::nullopt;
  return youngest->second;
}

}  // namespace

std::vector<DeadlockVictim> FindDeadlocks(const std::vector<WaitEdge>& edges,
                                          const std::map<WaiterKey, int64_t>& began) {
  std::vector<DeadlockVictim> victims;
  for (Edges left = edges;;) {
    const Edges circle = CircleFinder(left).Find();
    if (circle.empty()) return victims;
    const auto victim = IsOnOneShard(circle) ? std::nullopt : YoungestOf(circle, began);
    if (victim) {
      victims.push_back({*victim, Describe(circle)});
      std::erase_if(left, [&](const WaitEdge& edge) { return edge.waiter == *victim; });
    } else {
      std::erase(left, circle.front());
    }
  }
}

}  // namespace meridian
