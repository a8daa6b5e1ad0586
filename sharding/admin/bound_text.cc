#include "sharding/admin/bound_text.h"

#include <fmt/format.h>

#include <limits>

#include "sharding/quote.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

bool IsNumberType(KeyType type) { return IsIntegerType(type) || type == KeyType::kNumeric; }

absl::Status At(int position, const absl::Status& status) {
  SqlError error = ToSqlError(status);
  error.position = position;
  return ToStatus(error);
}

absl::StatusOr<KeyValue> ResolveComponent(const KeyColumn& column, const BoundLiteral& literal) {
  const KeyType type = column.space_type();
  if (!literal.quoted && !IsNumberType(type)) {
    return SqlStatus(
        "42804",
        fmt::format("the key column is of type {}, the bound is a number", KeyTypeName(type)),
        fmt::format("Write it as a string: '{}'.", literal.text));
  }
  auto value = ParseKeyText(type, literal.text);
  if (value.ok() || value.status().code() != absl::StatusCode::kUnimplemented) return value;
  return SqlStatus(sqlstate::kInvalidParameterValue,
                   fmt::format("\"{}\" is no {} that means the same on every server", literal.text,
                               KeyTypeName(type)),
                   "Write dates and times in ISO form, with a numeric time zone where the type has "
                   "one: '2024-01-31 00:00:00+00'.");
}

}  // namespace

absl::StatusOr<KeyBound> ResolveBound(absl::Span<const KeyColumn> columns, const BoundText& text) {
  KeyBound bound;
  if (text.size() > columns.size()) {
    absl::Status error = SqlStatus(
        sqlstate::kSyntaxError,
        fmt::format("the bound has {} components, the key has {}", text.size(), columns.size()));
    const auto& extra = text[columns.size()];
    return extra ? At(extra->position, error) : error;
  }
  for (size_t i = 0; i < text.size() && text[i]; ++i) {
    auto value = ResolveComponent(columns[i], *text[i]);
    if (!value.ok()) return At(text[i]->position, value.status());
    bound.values.push_back(*std::move(value));
  }
  return bound;
}

absl::StatusOr<KeyBound> ResolveKey(const Distribution& distribution,
                                    const std::vector<BoundLiteral>& values) {
  std::vector<KeyColumn> columns = distribution.columns();
  if (values.size() != columns.size()) {
    return At(
        values.front().position,
        SqlStatus(sqlstate::kSyntaxError, fmt::format("{} values are given, the key has {} columns",
                                                      values.size(), columns.size())));
  }
  for (KeyColumn& column : columns) column.hashed = false;
  auto key = ResolveBound(columns, BoundText(values.begin(), values.end()));
  if (!key.ok()) return key;
  for (size_t i = 0; i < columns.size(); ++i) {
    key->values[i] = distribution.ToSpace(i, std::move(key->values[i]));
  }
  return key;
}

absl::StatusOr<KeyBound> NextPoint(absl::Span<const KeyColumn> columns, KeyBound point) {
  KeyValue& last = point.values.back();
  const KeyType type = columns.back().space_type();
  if (auto* const number = std::get_if<int64_t>(&last);
      number != nullptr && *number != std::numeric_limits<int64_t>::max()) {
    ++*number;
    return point;
  }
  if (auto* const bytes = std::get_if<std::string>(&last)) {
    // No text has a NUL; an uuid is a number.
    if (type == KeyType::kText || type == KeyType::kBytea) {
      bytes->push_back(type == KeyType::kText ? '\1' : '\0');
      return point;
    }
    size_t i = bytes->size();
    while (i > 0 && ++(*bytes)[i - 1] == '\0') --i;
    if (i > 0) return point;
  }
  return Refused(fmt::format("there is no next key behind this one of type {}", KeyTypeName(type)),
                 "Split the range by hand: SPLIT KEY RANGE.");
}

std::string BoundSql(absl::Span<const KeyColumn> columns, const KeyBound& bound) {
  if (bound.is_min()) return "MINVALUE";
  std::string sql;
  for (size_t i = 0; i < bound.values.size(); ++i) {
    const KeyType type = columns[i].space_type();
    const std::string text = FormatKey(type, bound.values[i]);
    if (i > 0) sql += ", ";
    sql += IsIntegerType(type) ? text : QuoteLiteral(text);
  }
  return sql;
}

}  // namespace meridian
