// The transactions that this process is committing on several shards just now, by name: whoever
// recovers prepared transactions leaves them alone. Thread-safe.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <mutex>
#include <string>

namespace meridian {

class TransactionsInFlight {
 public:
  void Add(const std::string& name) {
    const std::lock_guard lock(mu_);
    names_.insert(name);
  }
  void Remove(const std::string& name) {
    const std::lock_guard lock(mu_);
    names_.erase(name);
  }
  bool Has(const std::string& name) const {
    const std::lock_guard lock(mu_);
    return names_.contains(name);
  }

 private:
  mutable std::mutex mu_;
  absl::flat_hash_set<std::string> names_;  // guarded by mu_
};

}  // namespace meridian
