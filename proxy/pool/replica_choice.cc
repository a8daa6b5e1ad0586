#include "proxy/pool/replica_choice.h"

namespace meridian {

const ReplicaCandidate& ReplicaChoice::Draw(absl::Span<const ReplicaCandidate> candidates,
                                            uint64_t weights) {
  // xorshift64 (Marsaglia)
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  uint64_t left = state_ % weights;
  for (const ReplicaCandidate& candidate : candidates) {
    if (left < candidate.weight) return candidate;
    left -= candidate.weight;
  }
  return candidates.back();
}

const ReplicaCandidate& ReplicaChoice::Choose(absl::Span<const ReplicaCandidate> candidates) {
  if (candidates.size() == 1) return candidates[0];
  uint64_t weights = 0;
  for (const ReplicaCandidate& candidate : candidates) weights += candidate.weight;
  const ReplicaCandidate& first = Draw(candidates, weights);
  const ReplicaCandidate& second = Draw(candidates, weights);
  return uint64_t{second.load} * first.weight < uint64_t{first.load} * second.weight ? second
                                                                                     : first;
}

}  // namespace meridian
