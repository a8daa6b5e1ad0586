#include "router/plan/key_set.h"

#include <algorithm>
#include <limits>

namespace meridian {
namespace {

using ValueKind = OperandValue::Kind;

// An intersection of unions multiplies: beyond this one side is dropped.
constexpr size_t kMaxIntersectedBoxes = 64;
// More arms than this are taken for all keys.
constexpr size_t kMaxBoxes = 4096;
// Combinations of key values that are located one by one; beyond, only the first columns count.
constexpr size_t kMaxPoints = 65536;

// What is known of one key column within a box.
struct ColumnRange {
  bool is_set = false;  // equal to one of `values`
  std::vector<KeyValue> values;
  std::optional<KeyValue> lower;
  bool lower_inclusive = true;
  std::optional<KeyValue> upper;
  bool upper_inclusive = true;
};

enum class Outcome : uint8_t { kGo, kEmpty, kServerError };

class BoxReader {
 public:
  BoxReader(const Distribution& distribution, const Values& values,
            bool standard_conforming_strings)
      : distribution_(distribution),
        values_(values),
        standard_conforming_strings_(standard_conforming_strings),
        columns_(distribution.columns().size()) {}

  Outcome Read(const KeySet::Box& box) {
    // Every condition is read, also behind an empty one: the server refuses a bad value before it
    // looks.
    bool empty = false;
    for (const KeyCondition& condition : box) {
      const Outcome outcome =
          condition.op == KeyCondition::Op::kIn || condition.op == KeyCondition::Op::kInArray
              ? ReadIn(condition)
              : ReadBound(condition);
      if (outcome == Outcome::kServerError) return outcome;
      empty |= outcome == Outcome::kEmpty;
    }
    if (empty) return Outcome::kEmpty;
    for (ColumnRange& column : columns_) {
      if (column.is_set && !KeepInBounds(&column)) return Outcome::kEmpty;
    }
    return Outcome::kGo;
  }

  void AddOwners(ShardSet* owners) const {
    KeyTuple prefix;
    size_t points = 1;
    AddOwners(0, points, &prefix, owners);
  }

 private:
  Outcome ReadIn(const KeyCondition& condition) {
    const KeyType type = distribution_.columns()[condition.column].type;
    std::vector<OperandValue> array;
    std::vector<KeyValue> found;
    if (condition.op == KeyCondition::Op::kInArray) {
      if (!ReadArrayOperand(condition.operands[0], type, values_, standard_conforming_strings_,
                            &array)) {
        return Outcome::kGo;  // implies nothing
      }
    } else {
      array.reserve(condition.operands.size());
      for (const Operand& operand : condition.operands) {
        array.push_back(ReadOperand(operand, type, values_, standard_conforming_strings_));
      }
    }
    bool unknown = false;
    for (OperandValue& value : array) {
      // The values of a list get a common type, in which the server may read what the column's type
      // cannot.
      if (value.kind == ValueKind::kServerError) {
        if (array.size() == 1) return Outcome::kServerError;
        unknown = true;
      }
      unknown |= value.kind == ValueKind::kUnknown;
      if (value.kind == ValueKind::kValue) found.push_back(std::move(value.value));
    }
    if (unknown) return Outcome::kGo;
    ColumnRange& column = columns_[condition.column];
    if (column.is_set) {
      std::erase_if(column.values, [&](const KeyValue& value) {
        return std::none_of(found.begin(), found.end(),
                            [&](const KeyValue& other) { return Compare(value, other) == 0; });
      });
    } else {
      column.is_set = true;
      column.values = std::move(found);
    }
    return column.values.empty() ? Outcome::kEmpty : Outcome::kGo;
  }

  Outcome ReadBound(const KeyCondition& condition) {
    const KeyType type = distribution_.columns()[condition.column].type;
    OperandValue value =
        ReadOperand(condition.operands[0], type, values_, standard_conforming_strings_);
    if (value.kind == ValueKind::kServerError) return Outcome::kServerError;
    if (value.kind == ValueKind::kNull) return Outcome::kEmpty;
    if (value.kind != ValueKind::kValue) return Outcome::kGo;
    ColumnRange& column = columns_[condition.column];
    const bool inclusive = condition.op == KeyCondition::Op::kLessOrEqual ||
                           condition.op == KeyCondition::Op::kGreaterOrEqual;
    const bool is_upper =
        condition.op == KeyCondition::Op::kLess || condition.op == KeyCondition::Op::kLessOrEqual;
    std::optional<KeyValue>& bound = is_upper ? column.upper : column.lower;
    bool& bound_inclusive = is_upper ? column.upper_inclusive : column.lower_inclusive;
    const int order = bound.has_value() ? Compare(value.value, *bound) : 0;
    if (!bound.has_value() || (is_upper ? order < 0 : order > 0)) {
      bound = std::move(value.value);
      bound_inclusive = inclusive;
    } else if (order == 0) {
      bound_inclusive = bound_inclusive && inclusive;
    }
    if (column.lower.has_value() && column.upper.has_value()) {
      const int width = Compare(*column.lower, *column.upper);
      if (width > 0 || (width == 0 && !(column.lower_inclusive && column.upper_inclusive))) {
        return Outcome::kEmpty;
      }
    }
    return Outcome::kGo;
  }

  static bool KeepInBounds(ColumnRange* column) {
    std::erase_if(column->values, [&](const KeyValue& value) {
      if (column->lower.has_value()) {
        const int order = Compare(value, *column->lower);
        if (order < 0 || (order == 0 && !column->lower_inclusive)) return true;
      }
      if (column->upper.has_value()) {
        const int order = Compare(value, *column->upper);
        if (order > 0 || (order == 0 && !column->upper_inclusive)) return true;
      }
      return false;
    });
    return !column->values.empty();
  }

  // The owners of the keys that start with `prefix` and satisfy the columns from `index` on.
  void AddOwners(size_t index, size_t points, KeyTuple* prefix, ShardSet* owners) const {
    if (index == columns_.size()) {
      owners->Add(distribution_.Locate(*prefix).Owner());
      return;
    }
    const ColumnRange& column = columns_[index];
    if (column.is_set && column.values.size() <= kMaxPoints / points) {
      for (const KeyValue& value : column.values) {
        prefix->push_back(distribution_.ToSpace(index, value));
        AddOwners(index + 1, points * column.values.size(), prefix, owners);
        prefix->pop_back();
      }
      return;
    }
    owners->Add(OwnersFrom(column, distribution_.columns()[index].hashed, *prefix));
  }

  ShardSet OwnersFrom(const ColumnRange& column, bool hashed, const KeyTuple& prefix) const {
    // The order of hashes says nothing about the order of keys.
    if (hashed || (!column.lower.has_value() && !column.upper.has_value())) {
      return distribution_.OwnersOfPrefix(prefix);
    }
    const auto end = [&](const std::optional<KeyValue>& bound, bool inclusive) {
      std::optional<IntervalEnd> result;
      if (!bound.has_value() && prefix.empty()) return result;
      result.emplace();
      result->values = prefix;
      if (bound.has_value()) {
        result->values.push_back(*bound);
        result->inclusive = inclusive;
      }
      return result;
    };
    auto lower = end(column.lower, column.lower_inclusive);
    if (lower.has_value()) StartAtNextKey(&*lower);
    return distribution_.OwnersOfInterval(lower, end(column.upper, column.upper_inclusive));
  }

  // Integers, dates and times are whole numbers: above 499 means from 500 on.
  static void StartAtNextKey(IntervalEnd* lower) {
    if (lower->inclusive) return;
    int64_t* const number = std::get_if<int64_t>(&lower->values.back());
    if (number == nullptr || *number == std::numeric_limits<int64_t>::max()) return;
    ++*number;
    lower->inclusive = true;
  }

  const Distribution& distribution_;
  const Values& values_;
  const bool standard_conforming_strings_;
  absl::InlinedVector<ColumnRange, 1> columns_;
};

// The shape of almost every statement: key = value. nullopt: look closer.
std::optional<OperandValue> ReadSingleKey(const KeySet& keys, const Distribution& distribution,
                                          const Values& values, bool standard_conforming_strings) {
  if (distribution.columns().size() != 1 || keys.boxes().size() != 1) return std::nullopt;
  const KeySet::Box& box = keys.boxes()[0];
  if (box.size() != 1 || box[0].op != KeyCondition::Op::kIn || box[0].operands.size() != 1) {
    return std::nullopt;
  }
  return ReadOperand(box[0].operands[0], distribution.columns()[0].type, values,
                     standard_conforming_strings);
}

}  // namespace

KeySet KeySet::Of(KeyCondition condition) {
  Box box;
  box.push_back(std::move(condition));
  absl::InlinedVector<Box, 1> boxes;
  boxes.push_back(std::move(box));
  return KeySet(std::move(boxes));
}

KeySet KeySet::And(const KeySet& a, const KeySet& b) {
  if (a.is_all()) return b;
  if (b.is_all()) return a;
  if (a.boxes_.size() * b.boxes_.size() > kMaxIntersectedBoxes) {
    return a.boxes_.size() <= b.boxes_.size() ? a : b;
  }
  absl::InlinedVector<Box, 1> boxes;
  for (const Box& left : a.boxes_) {
    for (const Box& right : b.boxes_) {
      Box& both = boxes.emplace_back(left);
      both.insert(both.end(), right.begin(), right.end());
    }
  }
  return KeySet(std::move(boxes));
}

KeySet KeySet::Or(KeySet a, KeySet b) {
  if (a.is_all() || b.is_all() || a.boxes_.size() + b.boxes_.size() > kMaxBoxes) return All();
  for (Box& box : b.boxes_) a.boxes_.push_back(std::move(box));
  return a;
}

std::vector<Operand> PointOf(const KeySet& keys, size_t columns) {
  std::vector<Operand> point;
  if (keys.boxes().size() != 1) return point;
  const KeySet::Box& box = keys.boxes()[0];
  for (size_t column = 0; column < columns; ++column) {
    const auto found = std::find_if(box.begin(), box.end(), [&](const KeyCondition& condition) {
      return condition.column == column && condition.op == KeyCondition::Op::kIn &&
             condition.operands.size() == 1;
    });
    if (found == box.end()) return {};
    point.push_back(found->operands[0]);
  }
  return point;
}

std::optional<ShardSet> Owners(const KeySet& keys, const Distribution& distribution,
                               const Values& values, bool standard_conforming_strings) {
  if (keys.is_all()) return distribution.AllOwners();
  if (auto single = ReadSingleKey(keys, distribution, values, standard_conforming_strings)) {
    switch (single->kind) {
      case ValueKind::kValue: {
        const KeyValue point = distribution.ToSpace(0, std::move(single->value));
        return distribution.Locate({&point, 1}).Owner();
      }
      case ValueKind::kNull:
      case ValueKind::kNever:
        return ShardSet();
      case ValueKind::kUnknown:
        return distribution.AllOwners();
      case ValueKind::kServerError:
        return std::nullopt;
    }
  }
  ShardSet owners;
  for (const KeySet::Box& box : keys.boxes()) {
    BoxReader reader(distribution, values, standard_conforming_strings);
    const Outcome outcome = reader.Read(box);
    if (outcome == Outcome::kServerError) return std::nullopt;
    if (outcome == Outcome::kGo) reader.AddOwners(&owners);
  }
  return owners;
}

}  // namespace meridian
