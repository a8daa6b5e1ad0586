// How far a node's write-ahead log has come: what NodeMonitor samples and workers read, without a
// lock, to find the replicas that a session may read from.
//
// A sample has a number. Its LSN is asked for after the number was given out, so a sample with a
// greater number than `started()` was at some moment says what the node had after that moment: for
// a primary everything that it had committed by then, for a replica everything that it showed. No
// clock is compared.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "sharding/lsn.h"

namespace meridian {

// Written by the node's control thread, read by any.
class NodeSamples {
 public:
  static constexpr uint64_t kUnknownLag = UINT64_MAX;
  struct Sample {
    uint64_t number = 0;  // 0: there is none yet
    Lsn lsn = 0;
  };

  // Before the node is asked.
  void Start() { started_.fetch_add(1); }
  // It has answered as a primary: where its log ends (pg_current_wal_insert_lsn).
  void FinishAsPrimary(Lsn end);
  // ... as a replica: what it has replayed. `covers_us`: a moment (monotonic, in microseconds) such
  // that it shows all that the primary had committed before; 0: not known. `lag_us`: how long this
  // is before what is known of the primary; kUnknownLag: it is before all that is known.
  void FinishAsReplica(Lsn replayed, uint64_t covers_us, uint64_t lag_us);
  void SetUsable(bool usable) { usable_.store(usable, std::memory_order_relaxed); }

  uint64_t started() const { return started_.load(); }
  // The newest; the LSN may be that of a newer one still.
  Sample as_primary() const { return as_primary_.Read(); }
  Sample as_replica() const { return as_replica_.Read(); }
  uint64_t covers_us() const { return covers_us_.load(std::memory_order_relaxed); }
  uint64_t lag_us() const { return lag_us_.load(std::memory_order_relaxed); }
  // Whether a replica answers and is not too far behind.
  bool usable() const { return usable_.load(std::memory_order_relaxed); }

  // Reads that went to it as a replica. Any thread.
  void CountRead() const { reads_.fetch_add(1, std::memory_order_relaxed); }
  uint64_t reads() const { return reads_.load(std::memory_order_relaxed); }

 private:
  struct Finished {
    std::atomic<uint64_t> number{0};
    std::atomic<Lsn> lsn{0};
    Sample Read() const;
    void Write(Sample sample);
  };

  std::atomic<uint64_t> started_{0};
  Finished as_primary_;
  Finished as_replica_;
  std::atomic<uint64_t> covers_us_{0};
  std::atomic<uint64_t> lag_us_{kUnknownLag};
  std::atomic<bool> usable_{false};
  mutable std::atomic<uint64_t> reads_{0};
};

// Where a primary's log ended at which moment. One thread, or under a lock.
class WalHistory {
 public:
  // All that was committed before `asked_us` lies before `lsn`.
  void Add(uint64_t asked_us, Lsn lsn);
  // The latest moment before which all that was committed lies before `lsn`; 0: not known.
  uint64_t CoveredBy(Lsn lsn) const;
  // Of the newest entry; 0: there is none.
  uint64_t newest_us() const { return entries_.empty() ? 0 : entries_.back().asked_us; }

 private:
  struct Entry {
    uint64_t asked_us;
    Lsn lsn;
  };
  static constexpr size_t kEntriesMax = 4096;
  std::deque<Entry> entries_;  // ascending in both
};

// Whether a replica is used: it leaves at once, and returns when it has been well for a while.
class ReplicaHealth {
 public:
  // How many good checks it takes to return.
  static constexpr int kChecksToReturn = 4;
  // After each check. `lag_us`: how far it is behind, at least; `lag_max_us`: with more it is not
  // used, and comes back with half of it.
  bool Check(bool answers, uint64_t lag_us, uint64_t lag_max_us);

 private:
  bool used_ = false;
  bool was_used_ = false;
  int good_ = 0;
};

// The start of a page of the log, where nothing has been written to the page yet: on a primary the
// end of the log is behind the page's header (XLOG_BLCKSZ, SizeOfXLogShortPHD), where a replica's
// never is.
Lsn WithoutPageHeader(Lsn lsn);

}  // namespace meridian
