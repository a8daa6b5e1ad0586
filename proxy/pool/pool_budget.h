// The limit of connections of each pool over all workers of the process. Thread-safe; atomics only
// on the paths that open, close or wait for a connection.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace meridian {

// One pool's budget. A pool of a worker keeps a reference to it.
class PoolBudget {
 public:
  explicit PoolBudget(size_t limit) : limit_(limit) {}

  // Takes a slot if one is free.
  bool TryTake();
  // Gives one back. True if somebody waits: the caller must then call PoolBudgets::WakeAll.
  bool Release();

  size_t limit() const { return limit_.load(std::memory_order_relaxed); }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  void set_limit(size_t limit) { limit_.store(limit, std::memory_order_relaxed); }

  // How many workers have sessions that wait for a slot.
  size_t waiting_workers() const { return waiting_.load(std::memory_order_relaxed); }
  void AddWaitingWorker() { waiting_.fetch_add(1, std::memory_order_seq_cst); }
  void RemoveWaitingWorker() { waiting_.fetch_sub(1, std::memory_order_seq_cst); }

  // How many workers hold a slot or wait for one: they share the limit.
  size_t user_workers() const { return users_.load(std::memory_order_relaxed); }
  void AddUserWorker() { users_.fetch_add(1, std::memory_order_relaxed); }
  void RemoveUserWorker() { users_.fetch_sub(1, std::memory_order_relaxed); }

  // Grows by one with each slot that a worker gives up for another one.
  uint64_t turn() const { return turn_.load(std::memory_order_relaxed); }
  uint64_t NextTurn() { return turn_.fetch_add(1, std::memory_order_relaxed) + 1; }

 private:
  std::atomic<size_t> limit_;
  std::atomic<size_t> used_{0};
  std::atomic<size_t> waiting_{0};
  std::atomic<size_t> users_{0};
  std::atomic<uint64_t> turn_{0};
};

class PoolBudgets {
 public:
  explicit PoolBudgets(size_t limit) : limit_(limit) {}

  // The budget of the pool `key` (PoolKey::ToString()); lives as long as this object.
  PoolBudget& Of(const std::string& key);
  void SetLimit(size_t limit);

  // `waker` is called (on any thread) when a slot may be free for a worker, or a worker waits for
  // one: it must make the worker call ServerPools::OnSlotsFreed soon, from its loop, not from
  // within the waker. It must not call this object.
  void AddWorker(std::function<void()> waker);
  void WakeAll();
  size_t workers() const;

 private:
  mutable std::mutex mu_;
  size_t limit_;
  std::map<std::string, std::unique_ptr<PoolBudget>> budgets_;
  std::vector<std::function<void()>> wakers_;
};

}  // namespace meridian
