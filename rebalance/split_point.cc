#include "rebalance/split_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "rebalance/table_sample.h"
#include "sharding/quote.h"
#include "sharding/range_sql.h"

namespace meridian {
namespace {

// The first `columns` of the key, as text, of the first row that has `fraction` of the sample's
// before it, and not the first row's there; empty: there is none.
absl::StatusOr<std::vector<std::string>> KeyAt(PgConnection& owner, const SampledTable& table,
                                               const std::vector<std::string>& keys,
                                               const std::vector<std::string>& order,
                                               const std::string& condition, double fraction,
                                               size_t columns) {
  const std::string by = fmt::format("ORDER BY {}", fmt::join(order, ", "));
  std::vector<std::string> texts, differs, firsts;
  for (size_t i = 0; i < columns; ++i) {
    texts.push_back(keys[i] + "::text");
    firsts.push_back(fmt::format("first_value({}) OVER ({}) AS meridian_{}", keys[i], by, i));
    differs.push_back(fmt::format("{} <> meridian_{}", keys[i], i));
  }
  auto row = owner.Query(fmt::format(
      "SELECT {} FROM (SELECT {}, {}, row_number() OVER ({}) AS meridian_row, count(*) OVER () AS"
      " meridian_rows FROM {} WHERE {}) s WHERE meridian_row > {} * meridian_rows AND ({})"
      " ORDER BY meridian_row LIMIT 1",
      fmt::join(texts, ", "), fmt::join(keys, ", "), fmt::join(firsts, ", "), by, table.Sql(),
      condition, fraction, fmt::join(differs, " OR ")));
  if (!row.ok()) return row.status();
  std::vector<std::string> key;
  for (size_t c = 0; row->rows() == 1 && c < columns; ++c) key.push_back(row->Text(0, c));
  return key;
}

absl::StatusOr<std::optional<KeyBound>> PointOfSample(PgConnection& owner, const MappedTable& table,
                                                      const SampledTable& sampled,
                                                      const Distribution& distribution,
                                                      size_t range, double fraction) {
  std::vector<std::string> keys, order;
  for (size_t i = 0; i < table.key_columns.size(); ++i) {
    keys.push_back(QuoteIdentifier(table.key_columns[i]));
    order.push_back(ComponentSql(distribution.columns()[i], keys.back()));
  }
  const std::string condition = RangeSql(distribution, range, keys);
  for (const size_t columns : {size_t{1}, keys.size()}) {
    const auto texts = KeyAt(owner, sampled, keys, order, condition, fraction, columns);
    if (!texts.ok()) return texts.status();
    if (texts->empty()) continue;
    KeyBound bound;
    for (size_t i = 0; i < columns; ++i) {
      auto value = ParseKeyText(distribution.columns()[i].type, (*texts)[i]);
      if (!value.ok()) return value.status();
      bound.values.push_back(*std::move(value));
    }
    return bound;
  }
  return std::nullopt;
}

}  // namespace

std::optional<KeyBound> PointOfHashes(const Distribution& distribution, size_t range,
                                      double fraction) {
  if (!distribution.columns().front().hashed) return std::nullopt;
  const KeyBound& lower = distribution.ranges()[range].lower;
  const KeyBound* const upper = distribution.UpperOf(range);
  const int64_t low =
      lower.is_min() ? std::numeric_limits<int64_t>::min() : std::get<int64_t>(lower.values[0]);
  const int64_t high =
      upper == nullptr ? std::numeric_limits<int64_t>::max() : std::get<int64_t>(upper->values[0]);
  const auto width = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  if (high <= low || width < 4) return std::nullopt;
  const auto part =
      static_cast<uint64_t>(static_cast<double>(width) * std::clamp(fraction, 0., 1.));
  const uint64_t step = std::clamp<uint64_t>(part, 1, width - 1);
  return KeyBound{{KeyValue(static_cast<int64_t>(static_cast<uint64_t>(low) + step))}};
}

absl::StatusOr<std::optional<KeyBound>> SplitPoint(PgConnection& owner,
                                                   absl::Span<const MappedTable> tables,
                                                   const Distribution& distribution, size_t range,
                                                   double fraction) {
  if (distribution.columns().front().hashed) return PointOfHashes(distribution, range, fraction);
  // Values as ParseKeyText reads them.
  auto plain = owner.Script("SET datestyle = ISO; SET timezone = 'UTC'; SET bytea_output = hex");
  if (!plain.ok()) return plain.status();
  std::vector<std::pair<SampledTable, const MappedTable*>> by_size;
  for (const MappedTable& table : tables) {
    auto sampled = SampleTable(owner, table.name);
    if (!sampled.ok()) return sampled.status();
    by_size.emplace_back(*std::move(sampled), &table);
  }
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const auto& a, const auto& b) { return a.first.bytes > b.first.bytes; });
  for (const auto& [sampled, table] : by_size) {
    auto point = PointOfSample(owner, *table, sampled, distribution, range, fraction);
    if (!point.ok() || point->has_value()) return point;
  }
  return std::nullopt;
}

std::vector<MappedTable> TablesOf(const ShardMap& map, const Distribution& distribution) {
  std::vector<MappedTable> tables;
  for (const MappedTable& table : map.tables()) {
    if (table.kind == MappedTable::Kind::kSharded &&
        &map.distributions()[table.distribution] == &distribution) {
      tables.push_back(table);
    }
  }
  return tables;
}

}  // namespace meridian
