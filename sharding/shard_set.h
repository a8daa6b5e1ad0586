// Which shard, and sets of shards, within one shard map.
#pragma once

#include <bitset>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace meridian {

// The most shards that one shard map can hold.
inline constexpr size_t kMaxShards = 256;

// The most key ranges that may be on the move at once.
inline constexpr size_t kMaxMovingRanges = 32;

// Ranges on the move: bit i stands for ShardMap::moving()[i]. Valid for one epoch only.
using MovingSet = uint32_t;

// A shard's place in ShardMap::shards(). Valid for one epoch only; a shard's name is what lasts.
struct ShardIndex {
  uint16_t value = 0;
  friend auto operator<=>(ShardIndex, ShardIndex) = default;
};

// Where it stands for the owners of keys, it also knows which ranges on the move these keys may be
// in; that is no part of equality.
class ShardSet {
 public:
  ShardSet() = default;
  static ShardSet Of(ShardIndex shard, MovingSet moving = 0) {
    ShardSet set;
    set.Add(shard);
    set.moving_ = moving;
    return set;
  }
  static ShardSet FirstN(size_t count) {
    ShardSet set;
    for (size_t i = 0; i < count; ++i) set.bits_.set(i);
    return set;
  }

  void Add(ShardIndex shard) { bits_.set(shard.value); }
  void Add(const ShardSet& other) {
    bits_ |= other.bits_;
    moving_ |= other.moving_;
  }
  MovingSet moving() const { return moving_; }
  // Whatever the index: a shard that is gone is in no set.
  bool Contains(ShardIndex shard) const { return shard.value < kMaxShards && bits_[shard.value]; }
  bool empty() const { return bits_.none(); }
  size_t size() const { return bits_.count(); }
  bool has_one() const {
    const size_t first = bits_._Find_first();
    return first < kMaxShards && bits_._Find_next(first) >= kMaxShards;
  }
  // Precondition: !empty().
  ShardIndex first() const { return {static_cast<uint16_t>(bits_._Find_first())}; }
  ShardSet operator&(const ShardSet& other) const {
    ShardSet both;
    both.bits_ = bits_ & other.bits_;
    both.moving_ = moving_ | other.moving_;
    return both;
  }
  friend bool operator==(const ShardSet& a, const ShardSet& b) { return a.bits_ == b.bits_; }

  // Calls visit(ShardIndex) in ascending order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t i = bits_._Find_first(); i < kMaxShards; i = bits_._Find_next(i)) {
      visit(ShardIndex{static_cast<uint16_t>(i)});
    }
  }

 private:
  std::bitset<kMaxShards> bits_;
  MovingSet moving_ = 0;
};

}  // namespace meridian
