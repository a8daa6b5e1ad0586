// Which values the sequences of sharded tables may draw on which shard.
//
// Each shard has a window of its own, by the shard's number (Shard::number), as MINVALUE and
// MAXVALUE of the sequence: so PostgreSQL itself sees to it that no two shards draw the same,
// whatever setval() and RESTART are told. The default shard has the first one, whatever its number,
// so that a sequence goes on as it was before there were shards.
#pragma once

#include <cstdint>

namespace meridian {

// Values per window; 2^15 of them fill bigint.
inline constexpr int64_t kSequenceWindow = int64_t{1} << 48;
inline constexpr int kMaxShardNumber = (1 << 15) - 1;

struct SequenceWindow {
  int64_t min;
  int64_t max;
  bool Contains(int64_t value) const { return min <= value && value <= max; }
};
// The default shard's begins at 1, or where the sequence does: WindowOf(0) otherwise.
constexpr SequenceWindow WindowOf(int number) {
  const int64_t min = number * kSequenceWindow;
  return {min, min + (kSequenceWindow - 1)};
}

}  // namespace meridian
