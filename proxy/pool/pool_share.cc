#include "proxy/pool/pool_share.h"

#include <algorithm>

namespace meridian {

PoolShare::~PoolShare() {
  while (held_ > 0) GiveBack();
  SetNeed(false);
}

size_t PoolShare::OthersWaiting() const {
  const size_t waiting = budget_.waiting_workers();
  return waiting - std::min<size_t>(waiting, announced_ ? 1 : 0);
}

bool PoolShare::LeavesItToOthers(uint64_t now_us) const {
  if (OthersWaiting() == 0) return false;
  return held_ >= FairCeiling() || (budget_.turn() < own_turn_ && now_us < yield_until_us_);
}

size_t PoolShare::FairFloor() const {
  return budget_.limit() / std::max<size_t>(budget_.user_workers(), 1);
}

size_t PoolShare::FairCeiling() const {
  const size_t users = std::max<size_t>(budget_.user_workers(), 1);
  return (budget_.limit() + users - 1) / users;
}

void PoolShare::SetUser() {
  const bool user = held_ > 0 || announced_;
  if (user == user_) return;
  user_ = user;
  if (user) {
    budget_.AddUserWorker();
  } else {
    budget_.RemoveUserWorker();
  }
}

bool PoolShare::Take(uint64_t now_us) {
  bool taken = !LeavesItToOthers(now_us) && budget_.TryTake();
  if (!taken && !announced_) {
    announced_ = true;
    budget_.AddWaitingWorker();
    SetUser();
    // A slot that was given back before the announcement woke nobody.
    taken = !LeavesItToOthers(now_us) && budget_.TryTake();
    if (!taken) budgets_.WakeAll();
  }
  if (taken) ++held_;
  SetUser();
  return taken;
}

void PoolShare::GiveBack() {
  --held_;
  SetUser();
  if (budget_.Release()) budgets_.WakeAll();
}

void PoolShare::SetNeed(bool needs_slots) {
  if (needs_slots || !announced_) return;
  announced_ = false;
  budget_.RemoveWaitingWorker();
  SetUser();
  // A slot that was left to this worker is free for the others.
  if (budget_.waiting_workers() > 0) budgets_.WakeAll();
}

bool PoolShare::GivesUp(uint64_t opened_us, uint64_t now_us) {
  if (!OthersLack() || held_ <= FairFloor()) return false;
  if (held_ <= FairCeiling() && now_us - opened_us < kLendAfterUs) return false;
  const size_t others = OthersWaiting();
  own_turn_ = budget_.NextTurn() + others;
  yield_until_us_ = now_us + others * kYieldUs;
  return true;
}

bool PoolShare::Lends(uint64_t opened_us, uint64_t idle_since_us, uint64_t now_us) {
  if (!OthersLack()) return false;
  if (GivesUp(opened_us, now_us)) return true;
  return now_us - idle_since_us >= kLendAfterUs;
}

}  // namespace meridian
