#include "sharding/range_sql.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/quote.h"

namespace meridian {

std::string ComponentSql(const KeyColumn& column, const std::string& sql) {
  if (column.hashed) return HashSql(column.type, sql);
  // Whatever the column's collation is: the order of the map is the order of bytes.
  if (column.type == KeyType::kText) return sql + " COLLATE \"C\"";
  return sql;
}

namespace {

std::string ValueSql(const KeyColumn& column, const KeyValue& value) {
  const KeyType type = column.space_type();
  return fmt::format("{}::{}", QuoteLiteral(FormatKey(type, value)), KeyTypeName(type));
}

// The components that the bound has, compared with it: a key is below a bound exactly if its first
// components are. (PostgreSQL documentation, "Row Constructor Comparison")
std::string CompareSql(const Distribution& distribution, std::string_view comparison,
                       const KeyBound& bound, absl::Span<const std::string> columns_sql) {
  std::vector<std::string> left, right;
  for (size_t i = 0; i < bound.values.size(); ++i) {
    left.push_back(ComponentSql(distribution.columns()[i], columns_sql[i]));
    right.push_back(ValueSql(distribution.columns()[i], bound.values[i]));
  }
  if (left.size() == 1) return fmt::format("{} {} {}", left[0], comparison, right[0]);
  return fmt::format("({}) {} ({})", fmt::join(left, ", "), comparison, fmt::join(right, ", "));
}

// [lower, upper) as a conjunction.
std::string IntervalSql(const Distribution& distribution, const KeyBound& lower,
                        const KeyBound* upper, absl::Span<const std::string> columns_sql) {
  std::vector<std::string> terms;
  if (!lower.is_min()) terms.push_back(CompareSql(distribution, ">=", lower, columns_sql));
  if (upper != nullptr) terms.push_back(CompareSql(distribution, "<", *upper, columns_sql));
  // A comparison fails by itself for a NULL in the first component only: a later one may not matter
  // to it.
  for (size_t i = terms.empty() ? 0 : 1; i < columns_sql.size(); ++i) {
    terms.push_back(columns_sql[i] + " IS NOT NULL");
  }
  return fmt::format("({})", fmt::join(terms, " AND "));
}

}  // namespace

std::string RangeSql(const Distribution& distribution, size_t index,
                     absl::Span<const std::string> columns_sql) {
  return IntervalSql(distribution, distribution.ranges()[index].lower, distribution.UpperOf(index),
                     columns_sql);
}

std::string OwnedSql(const Distribution& distribution, ShardIndex owner,
                     absl::Span<const std::string> columns_sql) {
  const std::vector<KeyRange>& ranges = distribution.ranges();
  std::vector<std::string> intervals;
  for (size_t first = 0; first < ranges.size(); ++first) {
    if (ranges[first].owner != owner) continue;
    size_t last = first;
    while (last + 1 < ranges.size() && ranges[last + 1].owner == owner) ++last;
    intervals.push_back(
        IntervalSql(distribution, ranges[first].lower, distribution.UpperOf(last), columns_sql));
    first = last;
  }
  if (intervals.empty()) return "false";
  return fmt::format("({})", fmt::join(intervals, " OR "));
}

std::string StraySql(const Distribution& distribution, const StrayRows& rows,
                     absl::Span<const std::string> columns_sql) {
  return IntervalSql(distribution, rows.lower, rows.upper ? &*rows.upper : nullptr, columns_sql);
}

std::string OutsideSql(const std::string& condition) { return condition + " IS NOT TRUE"; }

}  // namespace meridian
