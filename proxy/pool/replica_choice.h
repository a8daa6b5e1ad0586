// Which of several replicas serves a read.
//
// The less busy of two that are drawn by lot: about as even as the best of all, without a herd
// (Mitzenmacher, The Power of Two Choices in Randomized Load Balancing). Weights are those of the
// lot, and what a replica's load is measured by.
#pragma once

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>

namespace meridian {

struct ReplicaCandidate {
  size_t node = 0;      // for the caller
  uint32_t weight = 1;  // not 0
  size_t load = 0;      // statements under way
};

class ReplicaChoice {
 public:
  explicit ReplicaChoice(uint64_t seed) : state_(seed | 1) {}
  // Precondition: not empty.
  const ReplicaCandidate& Choose(absl::Span<const ReplicaCandidate> candidates);

 private:
  const ReplicaCandidate& Draw(absl::Span<const ReplicaCandidate> candidates, uint64_t weights);
  uint64_t state_;
};

}  // namespace meridian
