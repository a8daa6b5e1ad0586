// Sets of keys of a distribution, as far as a statement's conditions tell: unions of boxes.
//
// A KeySet is always a superset of the true set, so that whatever the planner does not understand
// it may leave out. Made once per statement; Owners is the hot path.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "router/plan/operand.h"
#include "sharding/shard_map.h"

namespace meridian {

// One condition on one key column.
struct KeyCondition {
  enum class Op : uint8_t {
    kIn,       // equal to one of the operands
    kInArray,  // equal to an element of the (one) operand, an array
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
  };
  Op op = Op::kIn;
  uint16_t column = 0;  // of the distribution
  absl::InlinedVector<Operand, 1> operands;
};

class KeySet {
 public:
  // All conditions hold. No conditions: every key.
  using Box = absl::InlinedVector<KeyCondition, 1>;

  static KeySet All() { return KeySet(absl::InlinedVector<Box, 1>(1)); }
  static KeySet None() { return KeySet(absl::InlinedVector<Box, 1>()); }
  static KeySet Of(KeyCondition condition);

  bool is_all() const { return boxes_.size() == 1 && boxes_[0].empty(); }
  const absl::InlinedVector<Box, 1>& boxes() const { return boxes_; }

  // Intersection and union; where the result would be too large, a superset of it.
  static KeySet And(const KeySet& a, const KeySet& b);
  static KeySet Or(KeySet a, KeySet b);

 private:
  explicit KeySet(absl::InlinedVector<Box, 1> boxes) : boxes_(std::move(boxes)) {}
  absl::InlinedVector<Box, 1> boxes_;
};

// The values of the one key that the set has, per column; empty where it may have others.
std::vector<Operand> PointOf(const KeySet& keys, size_t columns);

// The owners of all keys in `keys`; nullopt where the server will refuse one of the values, so that
// any shard does. Precondition: distribution.ranges() is not empty.
std::optional<ShardSet> Owners(const KeySet& keys, const Distribution& distribution,
                               const Values& values, bool standard_conforming_strings);

}  // namespace meridian
