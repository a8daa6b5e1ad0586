// Which shard, and sets of shards, within one shard map.
#pragma once

#include <bitset>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace meridian {

// The most shards that one shard map can hold.
inline constexpr size_t kMaxShards = 256;

// A shard's place in ShardMap::shards(). Valid for one epoch only; a shard's name is what lasts.
struct ShardIndex {
  uint16_t value = 0;
  friend auto operator<=>(ShardIndex, ShardIndex) = default;
};

class ShardSet {
 public:
  ShardSet() = default;
  static ShardSet Of(ShardIndex shard) {
    ShardSet set;
    set.Add(shard);
    return set;
  }
  static ShardSet FirstN(size_t count) {
    ShardSet set;
    for (size_t i = 0; i < count; ++i) set.bits_.set(i);
    return set;
  }

  void Add(ShardIndex shard) { bits_.set(shard.value); }
  void Add(const ShardSet& other) { bits_ |= other.bits_; }
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
};

}  // namespace meridian
