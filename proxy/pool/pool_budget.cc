#include "proxy/pool/pool_budget.h"

#include <algorithm>
#include <utility>

namespace meridian {

bool PoolBudget::TryTake() {
  size_t used = used_.load(std::memory_order_seq_cst);
  while (used < limit()) {
    if (used_.compare_exchange_weak(used, used + 1, std::memory_order_seq_cst)) return true;
  }
  return false;
}

// Release and waiting are both sequentially consistent: either whoever gives a slot back sees the
// one that waits, or that one, which announces itself before it tries again, sees the free slot.
bool PoolBudget::Release() {
  used_.fetch_sub(1, std::memory_order_seq_cst);
  return waiting_.load(std::memory_order_seq_cst) > 0;
}

PoolBudget& PoolBudgets::Of(const std::string& key) {
  const std::lock_guard lock(mu_);
  std::unique_ptr<PoolBudget>& budget = budgets_[key];
  if (budget == nullptr) budget = std::make_unique<PoolBudget>(limit_);
  return *budget;
}

void PoolBudgets::SetLimit(size_t limit) {
  {
    const std::lock_guard lock(mu_);
    limit_ = limit;
    for (auto& [key, budget] : budgets_) budget->set_limit(limit);
  }
  WakeAll();
}

void PoolBudgets::AddWorker(std::function<void()> waker) {
  const std::lock_guard lock(mu_);
  wakers_.push_back(std::move(waker));
}

void PoolBudgets::WakeAll() {
  const std::lock_guard lock(mu_);
  for (const std::function<void()>& wake : wakers_) wake();
}

size_t PoolBudgets::workers() const {
  const std::lock_guard lock(mu_);
  return wakers_.size();
}

}  // namespace meridian
