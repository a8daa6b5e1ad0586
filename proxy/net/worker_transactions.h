// The transactions of all workers' clients, for the control threads.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "proxy/control/open_transactions.h"
#include "proxy/control/snapshot.h"

namespace meridian {

class Worker;

class WorkerTransactions final : public OpenTransactions {
 public:
  using Workers = std::function<std::vector<Worker*>()>;
  using CurrentSnapshot = std::function<std::shared_ptr<const Snapshot>()>;

  // Both are called on control threads.
  WorkerTransactions(Workers workers, CurrentSnapshot current)
      : workers_(std::move(workers)), current_(std::move(current)) {}

  std::vector<OpenTransaction> OnSeveralShards() override;
  std::optional<MapsInUse> Maps() override;
  RangeUseReport TakeUse() override;
  void CancelDeadlocked(uint64_t client_id, uint64_t began_us, std::string detail) override;

 private:
  const Workers workers_;
  const CurrentSnapshot current_;
};

}  // namespace meridian
