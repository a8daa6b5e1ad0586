// One worker's share of one pool's budget: when to take a slot, and when to give one up for another
// worker.
//
// The fair share is the limit divided by the workers that use the pool. A worker above it gives up
// connections as they are released while others wait for a slot; one at or below it only lends
// what has been idle for a while, so that bursts do not cost logins. Where the limit does not
// divide evenly, the odd slots go round. One thread, but for the budget.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/pool/pool_budget.h"

namespace meridian {

class PoolShare {
 public:
  // How long a connection within the fair share must have been idle to be lent, and an odd slot
  // have been held to go round.
  static constexpr uint64_t kLendAfterUs = 100'000;
  // A worker that gave up a slot takes none until each of those who waited then has had its turn,
  // but no longer than this for each of them.
  static constexpr uint64_t kYieldUs = kLendAfterUs + 20'000;

  PoolShare(PoolBudget& budget, PoolBudgets& budgets) : budget_(budget), budgets_(budgets) {}
  ~PoolShare();
  PoolShare(const PoolShare&) = delete;
  PoolShare& operator=(const PoolShare&) = delete;

  // Takes a slot to open a connection. False: there is none for now, it was announced that this
  // worker waits, and the waker will tell when to try again.
  bool Take(uint64_t now_us);
  void GiveBack();
  // Without slots and without need of any: the worker does not count for the fair share. No need:
  // it no longer waits.
  void SetNeed(bool needs_slots);

  // Whether to close a connection (open since `opened_us`) that is being released, for another
  // worker that waits.
  bool GivesUp(uint64_t opened_us, uint64_t now_us);
  // Whether to close one that is idle since `idle_since_us`.
  bool Lends(uint64_t opened_us, uint64_t idle_since_us, uint64_t now_us);

  bool is_over_limit() const { return budget_.used() > budget_.limit(); }
  const PoolBudget& budget() const { return budget_; }

 private:
  size_t OthersWaiting() const;
  // Others wait, and no slot is free for them.
  bool OthersLack() const { return budget_.used() >= budget_.limit() && OthersWaiting() > 0; }
  bool LeavesItToOthers(uint64_t now_us) const;
  size_t FairFloor() const;
  size_t FairCeiling() const;
  void SetUser();

  PoolBudget& budget_;
  PoolBudgets& budgets_;
  size_t held_ = 0;
  bool announced_ = false;
  bool user_ = false;
  uint64_t own_turn_ = 0;  // of PoolBudget::turn
  uint64_t yield_until_us_ = 0;
};

}  // namespace meridian
