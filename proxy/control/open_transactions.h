// What the control threads ask the workers about their clients' transactions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace meridian {

// A transaction of this proxy's that has joined several shards.
struct OpenTransaction {
  struct Part {
    std::string shard;
    uint32_t pid = 0;  // of the server process
  };
  uint64_t client_id = 0;
  uint64_t began_us = 0;  // monotonic: with client_id, which transaction it is
  uint64_t age_us = 0;
  std::vector<Part> parts;
};

class OpenTransactions {
 public:
  virtual ~OpenTransactions() = default;
  // Those that have joined several shards. Waits for the workers, but not for long: one that hangs
  // is left out. On control threads.
  virtual std::vector<OpenTransaction> OnSeveralShards() = 0;
  // Ends what this transaction waits for with 40P01, if it is still the same and waits.
  virtual void CancelDeadlocked(uint64_t client_id, uint64_t began_us, std::string detail) = 0;
};

}  // namespace meridian
