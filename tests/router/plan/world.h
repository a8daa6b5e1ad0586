// A shard map and schema written as text, for tests of the router.
//
// Lines, in this order:
//   shards s1 s2
//   server 150006
//   distribution NAME TYPE[ hash][, ...]: s1, 100 s2, 200 s1    (the bounds' first column)
//   sharded TABLE DISTRIBUTION KEY[, ...]
//   reference TABLE
//   strays SHARD DISTRIBUTION LOWER UPPER      (numbers; - for none)
//   moving DISTRIBUTION RANGE SHARD [held]     (the range's number, and the other shard)
//   relation NAME [view|sequence|matview|foreign] COLUMN:OID[:MODIFIER][:generated] ... [reads=A]
//   [ancestor=A] [keeps=WHY_ROWS_STAY] [opaque]     (columns also :default, :varying, :sequence)
//   function [SCHEMA.]NAME FLAGS              (flags as in
//   pg_catalog_functions.txt)
// Names without schema are in public. The functions of pg_catalog are always there.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "router/router.h"

namespace meridian {

class World {
 public:
  explicit World(const std::string& text) {
    ReadCatalogFunctions();
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) ReadLine(line);
    }
    map = Must(ShardMap::Build(Epoch{1}, shards_, distributions_, tables_, strays_));
    schema = Schema::Build(1, relations_, functions_, server_version_num_);
  }

  std::shared_ptr<const ShardMap> map;
  std::shared_ptr<const Schema> schema;

 private:
  template <typename T>
  static T Must(absl::StatusOr<T> value) {
    if (!value.ok()) throw std::runtime_error(value.status().ToString());
    return *std::move(value);
  }

  static TableName Name(const std::string& text) {
    const size_t dot = text.find('.');
    if (dot == std::string::npos) return {"public", text};
    return {text.substr(0, dot), text.substr(dot + 1)};
  }

  static std::vector<std::string> Split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, separator);) {
      const size_t begin = part.find_first_not_of(' ');
      const size_t end = part.find_last_not_of(' ');
      if (begin != std::string::npos) parts.push_back(part.substr(begin, end - begin + 1));
    }
    return parts;
  }

  void ReadCatalogFunctions() {
    const std::string path = MERIDIAN_SOURCE_DIR "/tests/router/plan/pg_catalog_functions.txt";
    std::ifstream in(path);
    if (!in) throw std::runtime_error("cannot read " + path);
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with('#')) AddFunction("pg_catalog", line);
    }
  }

  void AddFunction(const std::string& default_schema, const std::string& line) {
    const auto words = Split(line, ' ');
    FunctionInfo info;
    const size_t dot = words[0].find('.');
    info.schema = dot == std::string::npos ? default_schema : words[0].substr(0, dot);
    info.name = dot == std::string::npos ? words[0] : words[0].substr(dot + 1);
    for (const char flag : words[1]) {
      if (flag == 'i') info.volatility = Volatility::kImmutable;
      if (flag == 's') info.volatility = Volatility::kStable;
      info.set_returning |= flag == 'r';
      info.aggregate |= flag == 'a';
      info.window |= flag == 'w';
      info.compares_keys |= flag == 'k';
    }
    functions_.push_back(info);
  }

  void ReadLine(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string kind = line.substr(0, space);
    const std::string rest = line.substr(space + 1);
    if (kind == "shards") {
      for (const std::string& name : Split(rest, ' '))
        shards_.push_back({name, {{name, 5432}}, {}});
    } else if (kind == "server") {
      server_version_num_ = std::stoi(rest);
    } else if (kind == "distribution") {
      AddDistribution(rest);
    } else if (kind == "sharded") {
      AddSharded(rest);
    } else if (kind == "reference") {
      tables_.push_back({Name(rest), MappedTable::Kind::kReference, 0, {}});
    } else if (kind == "strays") {
      AddStrays(Split(rest, ' '));
    } else if (kind == "moving") {
      SetMoving(Split(rest, ' '));
    } else if (kind == "relation") {
      AddRelation(Split(rest, ' '));
    } else if (kind == "function") {
      AddFunction("public", rest);
    } else {
      throw std::runtime_error("what is this: " + line);
    }
  }

  ShardIndex ShardOf(const std::string& name) const {
    for (size_t i = 0; i < shards_.size(); ++i) {
      if (shards_[i].name == name) return {static_cast<uint16_t>(i)};
    }
    throw std::runtime_error("no shard " + name);
  }

  void AddDistribution(const std::string& text) {
    const size_t colon = text.find(':');
    const auto head = Split(text.substr(0, colon), ',');
    const std::string name = Split(head[0], ' ')[0];
    std::vector<KeyColumn> columns;
    for (size_t i = 0; i < head.size(); ++i) {
      const auto words = Split(head[i], ' ');
      const size_t type = i == 0 ? 1 : 0;
      columns.push_back({KeyTypeByName(words[type]).value(), words.size() > type + 1});
    }
    std::vector<KeyRange> ranges;
    for (const std::string& range : Split(text.substr(colon + 1), ',')) {
      const auto words = Split(range, ' ');
      KeyBound bound;
      if (words.size() > 1) {
        bound.values.push_back(Must(ParseKeyText(columns[0].space_type(), words[0])));
      }
      ranges.push_back({name + std::to_string(ranges.size()), bound, ShardOf(words.back())});
    }
    distributions_.push_back(Must(Distribution::Build(name, columns, ranges)));
  }

  void AddStrays(const std::vector<std::string>& words) {
    StrayRows rows{.shard = ShardOf(words[0]), .distribution = 0, .lower = {}, .upper = {}};
    while (distributions_[rows.distribution].name() != words[1]) ++rows.distribution;
    const KeyType type = distributions_[rows.distribution].columns()[0].space_type();
    if (words[2] != "-") rows.lower.values.push_back(Must(ParseKeyText(type, words[2])));
    if (words[3] != "-") rows.upper = KeyBound{{Must(ParseKeyText(type, words[3]))}};
    strays_.push_back(std::move(rows));
  }

  void SetMoving(const std::vector<std::string>& words) {
    for (Distribution& distribution : distributions_) {
      if (distribution.name() != words[0]) continue;
      std::vector<KeyRange> ranges = distribution.ranges();
      ranges.at(std::stoul(words[1])).move =
          RangeMove{.peer = ShardOf(words[2]), .held = words.size() > 3};
      distribution = Must(Distribution::Build(words[0], distribution.columns(), ranges));
    }
  }

  void AddSharded(const std::string& text) {
    const auto parts = Split(text, ',');
    auto words = Split(parts[0], ' ');
    MappedTable table{Name(words[0]), MappedTable::Kind::kSharded, 0, {words[2]}};
    for (size_t i = 0; i < distributions_.size(); ++i) {
      if (distributions_[i].name() == words[1]) table.distribution = i;
    }
    table.key_columns.insert(table.key_columns.end(), parts.begin() + 1, parts.end());
    tables_.push_back(table);
  }

  void AddRelation(const std::vector<std::string>& words) {
    using Kind = Relation::Kind;
    Relation relation;
    relation.name = Name(words[0]);
    for (size_t i = 1; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (word == "view") relation.kind = Kind::kView;
      if (word == "matview") relation.kind = Kind::kMaterializedView;
      if (word == "sequence") relation.kind = Kind::kSequence;
      if (word == "foreign") relation.kind = Kind::kForeignTable;
      if (word == "opaque") relation.has_opaque_functions = true;
      if (word == "primary") relation.differs_on_replica = true;
      if (word.starts_with("keeps=")) {
        relation.keeps_rows = word.substr(6);
        std::replace(relation.keeps_rows.begin(), relation.keeps_rows.end(), '_', ' ');
      }
      if (word.starts_with("reads=")) relation.reads.push_back(Name(word.substr(6)));
      if (word.starts_with("ancestor=")) relation.ancestors.push_back(Name(word.substr(9)));
      const auto parts = Split(word, ':');
      if (parts.size() < 2) continue;
      Column column;
      column.name = parts[0];
      column.type = static_cast<Oid>(std::stoul(parts[1]));
      const bool has_modifier = parts.size() > 2 && std::isdigit(parts[2][0]) != 0;
      if (has_modifier) column.modifier = std::stoi(parts[2]);
      column.generated = parts.back() == "generated";
      if (parts.back() == "default") column.default_value = Column::Default::kImmutable;
      if (parts.back() == "varying") column.default_value = Column::Default::kVarying;
      if (parts.back() == "sequence") column.default_value = Column::Default::kSequence;
      if (parts.back() == "divided") column.default_value = Column::Default::kDividedSequence;
      relation.columns.push_back(column);
    }
    relations_.push_back(relation);
  }

  int server_version_num_ = 0;
  std::vector<Shard> shards_;
  std::vector<Distribution> distributions_;
  std::vector<MappedTable> tables_;
  std::vector<StrayRows> strays_;
  std::vector<Relation> relations_;
  std::vector<FunctionInfo> functions_;
};

}  // namespace meridian
