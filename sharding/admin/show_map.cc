#include "sharding/admin/show_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/admin/bound_text.h"
#include "sharding/admin/syntax.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Columns = std::vector<AdminColumn>;
using Rows = std::vector<AdminRow>;

AdminValue Number(size_t number) { return std::to_string(number); }

Rows ShardRows(const ShardMap& map) {
  Rows rows;
  for (size_t s = 0; s < map.shards().size(); ++s) {
    const Shard& shard = map.shards()[s];
    std::string hosts;
    for (const NodeAddress& node : shard.nodes) {
      hosts += fmt::format("{}{}", hosts.empty() ? "" : ", ", node.ToString());
    }
    size_t ranges = 0;
    for (const Distribution& distribution : map.distributions()) {
      for (const KeyRange& range : distribution.ranges()) ranges += range.owner.value == s;
    }
    rows.push_back({shard.name, hosts,
                    shard.dbname.empty() ? std::nullopt : AdminValue(shard.dbname),
                    s == ShardMap::kDefaultShard.value ? "t" : "f", Number(ranges)});
  }
  return rows;
}

std::string TypesText(const Distribution& distribution) {
  std::string types;
  for (const KeyColumn& column : distribution.columns()) {
    types += fmt::format("{}{}{}", types.empty() ? "" : ", ", KeyTypeName(column.type),
                         column.hashed ? " HASH" : "");
  }
  return types;
}

Rows DistributionRows(const ShardMap& map) {
  Rows rows;
  for (size_t d = 0; d < map.distributions().size(); ++d) {
    const Distribution& distribution = map.distributions()[d];
    std::string shards;
    distribution.AllOwners().ForEach([&](ShardIndex owner) {
      shards += fmt::format("{}{}", shards.empty() ? "" : ", ", map.shard(owner).name);
    });
    const auto tables =
        std::count_if(map.tables().begin(), map.tables().end(), [&](const MappedTable& table) {
          return table.kind == MappedTable::Kind::kSharded && table.distribution == d;
        });
    rows.push_back({distribution.name(), TypesText(distribution),
                    Number(distribution.ranges().size()), Number(static_cast<size_t>(tables)),
                    shards});
  }
  return rows;
}

Rows KeyRangeRows(const ShardMap& map) {
  Rows rows;
  for (const Distribution& distribution : map.distributions()) {
    for (size_t r = 0; r < distribution.ranges().size(); ++r) {
      const KeyRange& range = distribution.ranges()[r];
      const KeyBound* upper = distribution.UpperOf(r);
      rows.push_back(
          {range.name, distribution.name(), BoundSql(distribution.columns(), range.lower),
           upper == nullptr ? std::nullopt : AdminValue(BoundSql(distribution.columns(), *upper)),
           map.shard(range.owner).name});
    }
  }
  return rows;
}

Rows TableRows(const ShardMap& map) {
  Rows rows;
  for (const MappedTable& table : map.tables()) {
    const bool sharded = table.kind == MappedTable::Kind::kSharded;
    rows.push_back(
        {table.name.schema, table.name.name, sharded ? "sharded" : "reference",
         sharded ? AdminValue(map.distributions()[table.distribution].name()) : std::nullopt,
         sharded ? AdminValue(fmt::format("{}", fmt::join(table.key_columns, ", ")))
                 : std::nullopt});
  }
  return rows;
}

// One command by its name, several by the words they start with; all where `name` is empty.
absl::StatusOr<Rows> HelpRows(std::string_view name) {
  Rows rows;
  for (const CommandSyntax& command : CommandTable()) {
    const bool match =
        name.empty() || command.name == name || command.name.starts_with(fmt::format("{} ", name));
    if (!match) continue;
    rows.push_back(
        {std::string(command.name), std::string(command.syntax), std::string(command.summary)});
  }
  if (!rows.empty()) return rows;
  return SqlStatus(sqlstate::kUndefinedObject, fmt::format("there is no command \"{}\"", name),
                   "HELP lists the commands.");
}

Rows RowsOf(ShowSubject subject, const ShardMap& map, std::string_view version) {
  switch (subject) {
    case ShowSubject::kShards:
      return ShardRows(map);
    case ShowSubject::kDistributions:
      return DistributionRows(map);
    case ShowSubject::kKeyRanges:
      return KeyRangeRows(map);
    case ShowSubject::kTables:
      return TableRows(map);
    case ShowSubject::kEpoch:
      return {{Number(map.epoch().value)}};
    case ShowSubject::kVersion:
      return {{std::string(version)}};
    case ShowSubject::kHelp:
      return *HelpRows("");
    default:
      return {};  // the proxy's subjects; see the precondition of AnswerFromMap
  }
}

}  // namespace

std::vector<AdminColumn> HelpColumns() { return {{"command"}, {"syntax"}, {"summary"}}; }

std::optional<std::vector<AdminColumn>> MapColumns(ShowSubject subject) {
  switch (subject) {
    case ShowSubject::kShards:
      return Columns{{"shard"},
                     {"hosts"},
                     {"dbname"},
                     {"is_default", type_oid::kBool},
                     {"key_ranges", type_oid::kInt8}};
    case ShowSubject::kDistributions:
      return Columns{{"distribution"},
                     {"column_types"},
                     {"key_ranges", type_oid::kInt8},
                     {"tables", type_oid::kInt8},
                     {"shards"}};
    case ShowSubject::kKeyRanges:
      return Columns{{"key_range"}, {"distribution"}, {"lower"}, {"upper"}, {"shard"}};
    case ShowSubject::kTables:
      return Columns{{"schema"}, {"table"}, {"kind"}, {"distribution"}, {"key_columns"}};
    case ShowSubject::kEpoch:
      return Columns{{"epoch", type_oid::kInt8}};
    case ShowSubject::kVersion:
      return Columns{{"version"}};
    case ShowSubject::kHelp:
      return HelpColumns();
    default:
      return std::nullopt;
  }
}

absl::StatusOr<AdminResult> AnswerFromMap(const Command& command, const ShardMap& map,
                                          std::string_view version) {
  if (const auto* help = std::get_if<Help>(&command)) {
    auto rows = HelpRows(help->command);
    if (!rows.ok()) return rows.status();
    return AdminResult{{HelpColumns(), *std::move(rows)}, "HELP"};
  }
  const Show& show = std::get<Show>(command);
  return ShowResult(
      show, {MapColumns(show.subject).value_or(Columns{}), RowsOf(show.subject, map, version)});
}

}  // namespace meridian
