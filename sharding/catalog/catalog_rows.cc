#include "sharding/catalog/catalog_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "sharding/catalog/text_array.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

enum TableIndex {
  kShards,
  kNodes,
  kDistributions,
  kDistributionColumns,
  kKeyRanges,
  kTables,
  kTableKeyColumns,
  kStrays,
  kTableCount,
};

absl::Status Corrupt(TableIndex table, const std::string& why) {
  return SqlStatus("XX001",
                   fmt::format("the catalog's table \"{}\" cannot be read: {}",
                               CatalogTables()[table].name, why),
                   "Undo the change that was made to the catalog by hand.");
}

int Number(const std::optional<std::string>& text) {
  int number = -1;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

std::string EncodeBound(const std::vector<KeyColumn>& columns, const KeyBound& bound) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < bound.values.size() && i < columns.size(); ++i) {
    texts.push_back(FormatKey(columns[i].space_type(), bound.values[i]));
  }
  return FormatTextArray(texts);
}

absl::StatusOr<KeyBound> DecodeBound(TableIndex table, const std::vector<KeyColumn>& columns,
                                     const std::string& text) {
  const auto texts = ParseTextArray(text);
  if (!texts) return Corrupt(table, fmt::format("\"{}\" is no bound", text));
  if (texts->size() > columns.size()) {
    return Corrupt(table, fmt::format("the bound {} has too many components", text));
  }
  KeyBound bound;
  for (size_t i = 0; i < texts->size(); ++i) {
    auto value = ParseKeyText(columns[i].space_type(), (*texts)[i]);
    if (!value.ok()) return Corrupt(table, ToSqlError(value.status()).message);
    bound.values.push_back(*std::move(value));
  }
  return bound;
}

absl::Status DecodeShards(const CatalogRows& rows, MapDraft& draft) {
  std::map<int, Shard> by_position;
  for (const CatalogRow& row : rows[kShards]) {
    by_position[Number(row[1])] =
        Shard{row[0].value_or(""), {}, row[2].value_or(""), Number(row[3])};
  }
  for (auto& [position, shard] : by_position) draft.shards.push_back(std::move(shard));
  std::map<std::pair<std::string, int>, NodeAddress> nodes;
  for (const CatalogRow& row : rows[kNodes]) {
    nodes[{row[0].value_or(""), Number(row[1])}] =
        NodeAddress{row[2].value_or(""), static_cast<uint16_t>(Number(row[3]))};
  }
  for (auto& [key, node] : nodes) {
    Shard* shard = draft.FindShard(key.first);
    if (shard == nullptr) return Corrupt(kNodes, "a node of no shard");
    shard->nodes.push_back(std::move(node));
  }
  return absl::OkStatus();
}

absl::Status DecodeColumns(const CatalogRows& rows, MapDraft& draft) {
  std::map<std::pair<std::string, int>, KeyColumn> columns;
  for (const CatalogRow& row : rows[kDistributionColumns]) {
    const auto type = KeyTypeByName(row[2].value_or(""));
    if (!type) return Corrupt(kDistributionColumns, "unknown type " + row[2].value_or(""));
    columns[{row[0].value_or(""), Number(row[1])}] = KeyColumn{*type, row[3] == "t"};
  }
  for (const auto& [key, column] : columns) {
    DraftDistribution* distribution = draft.FindDistribution(key.first);
    if (distribution == nullptr) return Corrupt(kDistributionColumns, "a column of nothing");
    distribution->columns.push_back(column);
  }
  return absl::OkStatus();
}

absl::Status DecodeRanges(const CatalogRows& rows, MapDraft& draft) {
  for (const CatalogRow& row : rows[kKeyRanges]) {
    DraftDistribution* distribution = draft.FindDistribution(row[1].value_or(""));
    if (distribution == nullptr) return Corrupt(kKeyRanges, "a range of no distribution");
    auto lower = DecodeBound(kKeyRanges, distribution->columns, row[2].value_or(""));
    if (!lower.ok()) return lower.status();
    DraftRange& range = distribution->ranges.emplace_back(
        DraftRange{row[0].value_or(""), *std::move(lower), row[3].value_or("")});
    if (!row[4]) continue;
    const auto complete_at = row[6] ? ParseLsn(*row[6]) : Lsn{0};
    if (!complete_at) return Corrupt(kKeyRanges, *row[6] + " is no LSN");
    range.move = DraftRangeMove{*row[4], row[5] == "t", *complete_at};
  }
  for (DraftDistribution& distribution : draft.distributions) {
    std::sort(distribution.ranges.begin(), distribution.ranges.end(),
              [](const DraftRange& a, const DraftRange& b) {
                return Compare(a.lower.values, b.lower.values) < 0;
              });
  }
  return absl::OkStatus();
}

absl::Status DecodeTables(const CatalogRows& rows, MapDraft& draft) {
  for (const CatalogRow& row : rows[kTables]) {
    const bool sharded = row[2] == "sharded";
    draft.tables.push_back({TableName{row[0].value_or(""), row[1].value_or("")},
                            sharded ? MappedTable::Kind::kSharded : MappedTable::Kind::kReference,
                            row[3].value_or(""),
                            {}});
  }
  std::sort(draft.tables.begin(), draft.tables.end(),
            [](const DraftTable& a, const DraftTable& b) { return a.name < b.name; });
  std::map<std::pair<TableName, int>, std::string> keys;
  for (const CatalogRow& row : rows[kTableKeyColumns]) {
    keys[{TableName{row[0].value_or(""), row[1].value_or("")}, Number(row[2])}] =
        row[4].value_or("");
  }
  for (const auto& [key, column] : keys) {
    DraftTable* table = draft.FindTable(key.first);
    if (table == nullptr) return Corrupt(kTableKeyColumns, "a key column of no table");
    table->key_columns.push_back(column);
  }
  return absl::OkStatus();
}

absl::Status DecodeStrays(const CatalogRows& rows, MapDraft& draft) {
  for (const CatalogRow& row : rows[kStrays]) {
    const DraftDistribution* const distribution = draft.FindDistribution(row[1].value_or(""));
    if (distribution == nullptr) return Corrupt(kStrays, "rows of no distribution");
    DraftStrays strays{row[0].value_or(""), distribution->name, {}, std::nullopt};
    auto lower = DecodeBound(kStrays, distribution->columns, row[2].value_or(""));
    if (!lower.ok()) return lower.status();
    strays.lower = *std::move(lower);
    if (row[3]) {
      auto upper = DecodeBound(kStrays, distribution->columns, *row[3]);
      if (!upper.ok()) return upper.status();
      strays.upper = *std::move(upper);
    }
    draft.strays.push_back(std::move(strays));
  }
  return absl::OkStatus();
}

std::string Numbered(const CatalogTable& table, size_t begin, size_t end,
                     std::string_view separator) {
  std::string text;
  for (size_t i = begin; i < end; ++i) {
    text += fmt::format("{}{} = ${}", text.empty() ? "" : separator, table.columns[i], i + 1);
  }
  return text;
}

CatalogStatement Insert(const CatalogTable& table, const CatalogRow& row) {
  std::string values;
  for (size_t i = 1; i <= row.size(); ++i) values += fmt::format("{}${}", i > 1 ? ", " : "", i);
  return {fmt::format("INSERT INTO {} ({}) VALUES ({})", table.name, fmt::join(table.columns, ", "),
                      values),
          row};
}

CatalogStatement Update(const CatalogTable& table, const CatalogRow& row) {
  return {fmt::format("UPDATE {} SET {} WHERE {}", table.name,
                      Numbered(table, table.key_columns, row.size(), ", "),
                      Numbered(table, 0, table.key_columns, " AND ")),
          row};
}

CatalogStatement Delete(const CatalogTable& table, const CatalogRow& key) {
  return {fmt::format("DELETE FROM {} WHERE {}", table.name,
                      Numbered(table, 0, table.key_columns, " AND ")),
          key};
}

using RowsByKey = std::map<CatalogRow, const CatalogRow*>;

RowsByKey ByKey(const CatalogTable& table, const std::vector<CatalogRow>& rows) {
  RowsByKey by_key;
  for (const CatalogRow& row : rows) {
    by_key[CatalogRow(row.begin(), row.begin() + static_cast<long>(table.key_columns))] = &row;
  }
  return by_key;
}

}  // namespace

const std::vector<CatalogTable>& CatalogTables() {
  static const std::vector<CatalogTable> tables = {
      {"shards", {"shard", "position", "dbname", "number"}, 1},
      {"nodes", {"shard", "position", "host", "port"}, 2},
      {"distributions", {"distribution"}, 1},
      {"distribution_columns", {"distribution", "position", "type", "hashed"}, 2},
      {"key_ranges", {"range", "distribution", "lower", "owner", "peer", "held", "complete_at"}, 1},
      {"tables", {"schema_name", "table_name", "kind", "distribution"}, 2},
      {"table_key_columns",
       {"schema_name", "table_name", "position", "distribution", "column_name"},
       3},
      {"stray_rows", {"shard", "distribution", "lower", "upper"}, 3},
  };
  return tables;
}

CatalogRows EncodeDraft(const MapDraft& draft) {
  CatalogRows rows(kTableCount);
  for (size_t s = 0; s < draft.shards.size(); ++s) {
    const Shard& shard = draft.shards[s];
    rows[kShards].push_back(
        {shard.name, std::to_string(s), shard.dbname, std::to_string(shard.number)});
    for (size_t n = 0; n < shard.nodes.size(); ++n) {
      const NodeAddress& node = shard.nodes[n];
      rows[kNodes].push_back({shard.name, std::to_string(n), node.host, std::to_string(node.port)});
    }
  }
  for (const DraftDistribution& d : draft.distributions) {
    rows[kDistributions].push_back({d.name});
    for (size_t c = 0; c < d.columns.size(); ++c) {
      rows[kDistributionColumns].push_back({d.name, std::to_string(c),
                                            std::string(KeyTypeName(d.columns[c].type)),
                                            d.columns[c].hashed ? "t" : "f"});
    }
    for (const DraftRange& range : d.ranges) {
      CatalogRow& row = rows[kKeyRanges].emplace_back(
          CatalogRow{range.name, d.name, EncodeBound(d.columns, range.lower), range.owner,
                     std::nullopt, "f", std::nullopt});
      if (!range.move) continue;
      row[4] = range.move->peer;
      row[5] = range.move->held ? "t" : "f";
      if (range.move->complete_at != 0) row[6] = LsnText(range.move->complete_at);
    }
  }
  for (const DraftTable& table : draft.tables) {
    const bool sharded = table.kind == MappedTable::Kind::kSharded;
    rows[kTables].push_back({table.name.schema, table.name.name, sharded ? "sharded" : "reference",
                             sharded ? std::optional(table.distribution) : std::nullopt});
    for (size_t c = 0; c < table.key_columns.size(); ++c) {
      rows[kTableKeyColumns].push_back({table.name.schema, table.name.name, std::to_string(c),
                                        table.distribution, table.key_columns[c]});
    }
  }
  for (const DraftStrays& strays : draft.strays) {
    const auto distribution =
        std::find_if(draft.distributions.begin(), draft.distributions.end(),
                     [&](const DraftDistribution& d) { return d.name == strays.distribution; });
    if (distribution == draft.distributions.end()) continue;  // BuildMap has refused it
    const std::vector<KeyColumn>& columns = distribution->columns;
    rows[kStrays].push_back(
        {strays.shard, strays.distribution, EncodeBound(columns, strays.lower),
         strays.upper ? std::optional(EncodeBound(columns, *strays.upper)) : std::nullopt});
  }
  return rows;
}

absl::StatusOr<MapDraft> DecodeDraft(const CatalogRows& rows) {
  MapDraft draft;
  for (const CatalogRow& row : rows[kDistributions]) {
    draft.distributions.push_back({row[0].value_or(""), {}, {}});
  }
  std::sort(draft.distributions.begin(), draft.distributions.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const auto decode :
       {DecodeShards, DecodeColumns, DecodeRanges, DecodeTables, DecodeStrays}) {
    if (absl::Status status = decode(rows, draft); !status.ok()) return status;
  }
  return draft;
}

std::vector<CatalogStatement> Difference(const CatalogRows& before, const CatalogRows& after) {
  std::vector<CatalogStatement> statements;
  for (size_t t = 0; t < CatalogTables().size(); ++t) {
    const CatalogTable& table = CatalogTables()[t];
    const RowsByKey old_rows = ByKey(table, before[t]), new_rows = ByKey(table, after[t]);
    for (const auto& [key, row] : old_rows) {
      if (!new_rows.contains(key)) statements.push_back(Delete(table, key));
    }
    for (const auto& [key, row] : new_rows) {
      const auto old = old_rows.find(key);
      if (old == old_rows.end()) {
        statements.push_back(Insert(table, *row));
      } else if (*old->second != *row) {
        statements.push_back(Update(table, *row));
      }
    }
  }
  return statements;
}

}  // namespace meridian
