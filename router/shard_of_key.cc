// The shard of a `meridian.distribution_key` setting.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "router/router.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

absl::Status Invalid(std::string_view setting, std::string_view why) {
  return SqlStatus(
      sqlstate::kInvalidParameterValue,
      fmt::format("invalid value for parameter \"meridian.distribution_key\": \"{}\"", setting),
      "Give a key as value, or as distribution:value; several columns as (1,abc).",
      std::string(why));
}

// The fields of a row literal (PostgreSQL: src/backend/utils/adt/rowtypes.c, record_in); nullopt:
// not one.
std::optional<std::vector<std::string>> ParseRow(std::string_view text) {
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      fields.back().push_back(text[++i]);
    } else if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back().push_back('"');
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back().push_back(c);
    }
  }
  if (quoted) return std::nullopt;
  return fields;
}

}  // namespace

absl::StatusOr<ShardIndex> Router::ShardOfKey(std::string_view setting) const {
  const std::vector<Distribution>& distributions = map_->distributions();
  const Distribution* distribution = nullptr;
  std::string_view value = setting;
  if (distributions.size() == 1) {
    distribution = &distributions[0];
  }
  // A distribution's name in front is allowed where it is needed, and where it is not.
  const size_t colon = setting.find(':');
  if (colon != std::string_view::npos) {
    if (const Distribution* named = map_->FindDistribution(setting.substr(0, colon))) {
      distribution = named;
      value = setting.substr(colon + 1);
    }
  }
  if (distribution == nullptr) return Invalid(setting, "It names no distribution.");
  if (distribution->ranges().empty()) return Invalid(setting, "The distribution has no key range.");
  std::vector<std::string> fields = {std::string(value)};
  if (distribution->columns().size() > 1) {
    auto row = ParseRow(value);
    if (!row.has_value()) return Invalid(setting, "The key has several columns.");
    fields = *std::move(row);
  }
  if (fields.size() != distribution->columns().size()) {
    return Invalid(setting, fmt::format("The key has {} columns.", distribution->columns().size()));
  }
  KeyTuple point;
  for (size_t i = 0; i < fields.size(); ++i) {
    auto key = ParseKeyText(distribution->columns()[i].type, fields[i]);
    if (!key.ok()) return Invalid(setting, ToSqlError(key.status()).message);
    point.push_back(distribution->ToSpace(i, *std::move(key)));
  }
  return distribution->Locate(point).owner;
}

}  // namespace meridian
