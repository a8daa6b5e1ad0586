#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "sharding/shard_map.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

template <typename... Args>
absl::Status Invalid(fmt::format_string<Args...> format, Args&&... args) {
  return SqlStatus(sqlstate::kInvalidParameterValue,
                   fmt::format(format, std::forward<Args>(args)...));
}

// The lexicographic order of the first `count` components; a tuple that has fewer and agrees in
// them is lower.
int CompareFirst(KeyTupleView a, KeyTupleView b, size_t count) {
  const size_t size_a = std::min(count, a.size());
  const size_t size_b = std::min(count, b.size());
  for (size_t i = 0; i < std::min(size_a, size_b); ++i) {
    if (const int order = Compare(a[i], b[i]); order != 0) return order;
  }
  return size_a < size_b ? -1 : size_a > size_b;
}

// The place in KeyValue of the values of a type.
size_t AlternativeOf(KeyType type) {
  switch (type) {
    case KeyType::kText:
    case KeyType::kUuid:
    case KeyType::kBytea:
      return KeyValue(std::string()).index();
    case KeyType::kNumeric:
      return KeyValue(Decimal()).index();
    default:
      return KeyValue(int64_t{0}).index();
  }
}

absl::Status CheckColumns(std::string_view distribution, const std::vector<KeyColumn>& columns) {
  if (columns.empty()) return Invalid("distribution \"{}\" has no key column", distribution);
  for (const KeyColumn& column : columns) {
    if (column.hashed && !IsHashable(column.type)) {
      return Invalid("distribution \"{}\": type {} cannot be hashed", distribution,
                     KeyTypeName(column.type));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRange(std::string_view distribution, const std::vector<KeyColumn>& columns,
                        const KeyRange& range) {
  if (range.name.empty())
    return Invalid("a key range of distribution \"{}\" has no name", distribution);
  if (range.owner.value >= kMaxShards) return Invalid("key range \"{}\" has no owner", range.name);
  const KeyTuple& values = range.lower.values;
  if (values.size() > columns.size()) {
    return Invalid("the bound of key range \"{}\" has {} values, its distribution has {} columns",
                   range.name, values.size(), columns.size());
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].index() != AlternativeOf(columns[i].space_type())) {
      return Invalid("value {} of the bound of key range \"{}\" is no {}", i + 1, range.name,
                     KeyTypeName(columns[i].space_type()));
    }
  }
  return absl::OkStatus();
}

// That the ranges cover the key space without gap or overlap.
absl::Status CheckCover(std::string_view distribution, const std::vector<KeyRange>& ranges) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!names.insert(ranges[i].name).second) {
      return Invalid("distribution \"{}\" has two key ranges \"{}\"", distribution, ranges[i].name);
    }
    if (i == 0 && !ranges[i].lower.is_min()) {
      return Invalid("the first key range of distribution \"{}\" does not start at MINVALUE",
                     distribution);
    }
    if (i > 0 && Compare(ranges[i - 1].lower.values, ranges[i].lower.values) >= 0) {
      return Invalid("key ranges \"{}\" and \"{}\" are not in the order of their bounds",
                     ranges[i - 1].name, ranges[i].name);
    }
  }
  return absl::OkStatus();
}

}  // namespace

int Compare(KeyTupleView a, KeyTupleView b) {
  return CompareFirst(a, b, std::numeric_limits<size_t>::max());
}

absl::StatusOr<Distribution> Distribution::Build(std::string name, std::vector<KeyColumn> columns,
                                                 std::vector<KeyRange> ranges) {
  if (name.empty()) return Invalid("a distribution has no name");
  if (absl::Status status = CheckColumns(name, columns); !status.ok()) return status;
  for (const KeyRange& range : ranges) {
    if (absl::Status status = CheckRange(name, columns, range); !status.ok()) return status;
  }
  if (absl::Status status = CheckCover(name, ranges); !status.ok()) return status;

  Distribution distribution;
  distribution.name_ = std::move(name);
  distribution.columns_ = std::move(columns);
  distribution.ranges_ = std::move(ranges);
  const bool is_number =
      AlternativeOf(distribution.columns_[0].space_type()) == AlternativeOf(KeyType::kBigint);
  for (const KeyRange& range : distribution.ranges_) {
    distribution.all_owners_.Add(range.Owner());
    if (!is_number) continue;
    distribution.first_components_.push_back(range.lower.is_min()
                                                 ? std::numeric_limits<int64_t>::min()
                                                 : std::get<int64_t>(range.lower.values[0]));
  }
  return distribution;
}

size_t Distribution::NumberMoving(size_t first) {
  size_t count = 0;
  all_owners_ = {};
  for (KeyRange& range : ranges_) {
    range.moving = range.move ? MovingSet{1} << (first + count++) : 0;
    all_owners_.Add(range.Owner());
  }
  return count;
}

KeyValue Distribution::ToSpace(size_t column, KeyValue value) const {
  const KeyColumn& key_column = columns_[column];
  if (!key_column.hashed) return value;
  return HashKey(key_column.type, value);
}

size_t Distribution::IndexOf(KeyTupleView key) const {
  auto begin = ranges_.begin();
  auto end = ranges_.end();
  if (!first_components_.empty() && !key.empty()) {
    const auto first = first_components_.begin();
    const int64_t component = std::get<int64_t>(key[0]);
    const auto high = std::upper_bound(first, first_components_.end(), component);
    if (columns_.size() == 1) return high - first - 1;
    begin += std::lower_bound(first, high, component) - first;
    end = ranges_.begin() + (high - first);
  }
  const auto above = std::partition_point(
      begin, end, [key](const KeyRange& range) { return Compare(range.lower.values, key) <= 0; });
  return above - ranges_.begin() - 1;
}

size_t Distribution::EndOfPrefix(KeyTupleView prefix) const {
  return std::partition_point(ranges_.begin(), ranges_.end(),
                              [prefix](const KeyRange& range) {
                                return CompareFirst(range.lower.values, prefix, prefix.size()) <= 0;
                              }) -
         ranges_.begin();
}

ShardSet Distribution::OwnersOf(size_t begin, size_t end) const {
  ShardSet owners;
  for (size_t i = begin; i < end; ++i) owners.Add(ranges_[i].Owner());
  return owners;
}

const KeyRange& Distribution::Locate(KeyTupleView point) const { return ranges_[IndexOf(point)]; }

ShardSet Distribution::OwnersOfPrefix(KeyTupleView prefix) const {
  if (ranges_.empty() || prefix.empty()) return all_owners_;
  if (prefix.size() == columns_.size()) return Locate(prefix).Owner();
  return OwnersOf(IndexOf(prefix), EndOfPrefix(prefix));
}

ShardSet Distribution::OwnersOfInterval(const std::optional<IntervalEnd>& lower,
                                        const std::optional<IntervalEnd>& upper) const {
  if (ranges_.empty()) return {};
  size_t begin = 0;
  size_t end = ranges_.size();
  if (lower) {
    // Behind an exclusive end the next key may still be in the last range that its prefix reaches.
    begin = lower->inclusive ? IndexOf(lower->values) : EndOfPrefix(lower->values) - 1;
  }
  if (upper && upper->inclusive) {
    end = EndOfPrefix(upper->values);
  } else if (upper) {
    end = std::partition_point(ranges_.begin(), ranges_.end(),
                               [&upper](const KeyRange& range) {
                                 return Compare(range.lower.values, upper->values) < 0;
                               }) -
          ranges_.begin();
  }
  return OwnersOf(begin, end);
}

const KeyBound* Distribution::UpperOf(size_t index) const {
  return index + 1 < ranges_.size() ? &ranges_[index + 1].lower : nullptr;
}

}  // namespace meridian
