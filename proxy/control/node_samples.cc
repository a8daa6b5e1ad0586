#include "proxy/control/node_samples.h"

#include <algorithm>

namespace meridian {

NodeSamples::Sample NodeSamples::Finished::Read() const {
  const uint64_t newest = number.load(std::memory_order_acquire);
  return {newest, lsn.load(std::memory_order_acquire)};
}

void NodeSamples::Finished::Write(Sample sample) {
  lsn.store(sample.lsn, std::memory_order_release);
  number.store(sample.number, std::memory_order_release);
}

void NodeSamples::FinishAsPrimary(Lsn end) {
  as_primary_.Write({started_.load(std::memory_order_relaxed), end});
}

void NodeSamples::FinishAsReplica(Lsn replayed, uint64_t covers_us, uint64_t lag_us) {
  covers_us_.store(covers_us, std::memory_order_relaxed);
  lag_us_.store(lag_us, std::memory_order_relaxed);
  as_replica_.Write({started_.load(std::memory_order_relaxed), replayed});
}

void WalHistory::Add(uint64_t asked_us, Lsn lsn) {
  // A server that has crashed may have lost what it had not flushed.
  while (!entries_.empty() && entries_.back().lsn > lsn) entries_.pop_back();
  if (!entries_.empty() && entries_.back().lsn == lsn) {
    entries_.back().asked_us = asked_us;
    return;
  }
  entries_.push_back({asked_us, lsn});
  if (entries_.size() > kEntriesMax) entries_.pop_front();
}

uint64_t WalHistory::CoveredBy(Lsn lsn) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), lsn,
                                      [](Lsn l, const Entry& entry) { return l < entry.lsn; });
  return after == entries_.begin() ? 0 : std::prev(after)->asked_us;
}

bool ReplicaHealth::Check(bool answers, uint64_t lag_us, uint64_t lag_max_us) {
  const uint64_t limit = used_ || !was_used_ ? lag_max_us : lag_max_us / 2;
  if (!answers || lag_us > limit) {
    used_ = false;
    good_ = 0;
    return false;
  }
  ++good_;
  used_ = used_ || !was_used_ || good_ >= kChecksToReturn;
  was_used_ |= used_;
  return used_;
}

Lsn WithoutPageHeader(Lsn lsn) {
  constexpr Lsn kPageBytes = 8192;
  constexpr Lsn kHeaderBytes = 24;
  return lsn % kPageBytes == kHeaderBytes ? lsn - kHeaderBytes : lsn;
}

}  // namespace meridian
