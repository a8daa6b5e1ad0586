#include "rebalance/range_loads.h"

#include <algorithm>
#include <map>
#include <utility>

#include "sharding/catalog/text_array.h"

namespace meridian {
namespace {

struct Told {
  uint64_t busy_us = 0;
  std::vector<std::vector<std::string>> keys;
};

absl::StatusOr<std::map<std::string, Told>> ReadTold(PgConnection& catalog) {
  auto rows = catalog.Query(
      "SELECT range, busy_us_per_s::bigint, keys FROM range_load WHERE at > now() - interval '20 "
      "s'");
  if (!rows.ok()) return rows.status();
  std::map<std::string, Told> told;
  for (size_t r = 0; r < rows->rows(); ++r) {
    Told& range = told[rows->Text(r, 0)];
    range.busy_us += rows->Number(r, 1);
    const auto keys = ParseTextArray(rows->Text(r, 2));
    if (!keys) continue;
    for (const std::string& key : *keys) {
      if (auto components = ParseTextArray(key)) range.keys.push_back(*std::move(components));
    }
  }
  return told;
}

// Those that the range still has.
std::vector<KeyTuple> KeysOf(const Told& told, const Distribution& distribution, size_t range) {
  std::vector<KeyTuple> keys;
  for (const std::vector<std::string>& components : told.keys) {
    KeyTuple key;
    for (size_t i = 0; i < components.size() && i < distribution.columns().size(); ++i) {
      auto value = ParseKeyText(distribution.columns()[i].space_type(), components[i]);
      if (value.ok()) key.push_back(*std::move(value));
    }
    if (key.size() != distribution.columns().size()) continue;
    if (&distribution.Locate(key) == &distribution.ranges()[range]) keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace

std::optional<KeyBound> MiddleOfKeys(std::vector<KeyTuple> keys) {
  if (keys.empty()) return std::nullopt;
  const auto below = [](const KeyTuple& a, const KeyTuple& b) { return Compare(a, b) < 0; };
  std::sort(keys.begin(), keys.end(), below);
  const auto middle = keys.begin() + static_cast<long>(keys.size() / 2);
  for (const size_t columns : {size_t{1}, keys.front().size()}) {
    const auto prefix = [&](const KeyTuple& key) {
      return KeyTuple(key.begin(), key.begin() + static_cast<long>(columns));
    };
    const KeyTuple first = prefix(keys.front());
    const auto found = std::find_if(
        middle, keys.end(), [&](const KeyTuple& key) { return Compare(prefix(key), first) > 0; });
    if (found != keys.end()) return KeyBound{prefix(*found)};
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<RangeLoad>> MeasureLoads(
    const ShardMap& map, CatalogStore& store, const std::optional<std::string>& distribution) {
  std::map<std::string, Told> told;
  absl::Status read = store.Use([&](PgConnection& catalog) -> absl::Status {
    auto found = ReadTold(catalog);
    if (found.ok()) told = *std::move(found);
    return found.status();
  });
  if (!read.ok()) return read;
  std::vector<RangeLoad> loads;
  for (const Distribution& of : map.distributions()) {
    if (distribution && of.name() != *distribution) continue;
    for (size_t r = 0; r < of.ranges().size(); ++r) {
      const KeyRange& range = of.ranges()[r];
      RangeLoad load{of.name(), range.name, map.shard(range.owner).name};
      if (const auto found = told.find(range.name); found != told.end()) {
        load.weight = found->second.busy_us;
        if (!range.move) load.middle = MiddleOfKeys(KeysOf(found->second, of, r));
      }
      load.can_split = load.middle.has_value();
      loads.push_back(std::move(load));
    }
  }
  return loads;
}

}  // namespace meridian
