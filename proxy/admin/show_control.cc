#include "proxy/admin/show_control.h"

#include <fmt/format.h>

#include <utility>

#include "proxy/admin/table_rows.h"
#include "proxy/config/settings.h"

namespace meridian {
namespace {

std::vector<AdminColumn> NodeColumns() {
  return {{"shard"},
          {"host"},
          {"port", type_oid::kInt4},
          {"database"},
          {"role"},
          {"in_use", type_oid::kBool},
          {"reachable", type_oid::kBool},
          {"version"},
          {"timeline", type_oid::kInt8},
          {"system_identifier"},
          {"last_error"}};
}

// 150004 -> "15.4" (PostgreSQL documentation, PQserverVersion).
AdminValue VersionText(int version) {
  if (version == 0) return std::nullopt;
  if (version >= 100'000) return fmt::format("{}.{}", version / 10'000, version % 10'000);
  return fmt::format("{}.{}.{}", version / 10'000, version / 100 % 100, version % 100);
}

AdminRow NodeRow(const std::string& shard, const ShardNodes& nodes, const NodeState& node) {
  return {shard,
          node.address.host,
          std::to_string(node.address.port),
          TextOrNull(node.dbname),
          std::string(NodeRoleName(node.role)),
          BoolValue(RoleOf(nodes, node.address) != NodeRole::kUnknown),
          BoolValue(node.reachable),
          VersionText(node.server_version),
          node.timeline == 0 ? std::nullopt : NumberValue(node.timeline),
          node.system_identifier == 0 ? std::nullopt : NumberValue(node.system_identifier),
          TextOrNull(node.last_error)};
}

std::vector<AdminRow> NodeRows(const Snapshot& snapshot) {
  std::vector<AdminRow> rows;
  const std::vector<Shard>& shards = snapshot.map->shards();
  for (size_t s = 0; s < shards.size(); ++s) {
    const ShardNodes& nodes = snapshot.nodes->of({static_cast<uint16_t>(s)});
    for (const NodeState& node : nodes.nodes) {
      rows.push_back(NodeRow(shards[s].name, nodes, node));
    }
  }
  return rows;
}

std::vector<AdminColumn> SettingColumns() {
  return {{"name"},       {"value"}, {"unit"}, {"default"}, {"reloadable", type_oid::kBool},
          {"description"}};
}

std::vector<AdminRow> SettingRows(const Config& config) {
  std::vector<AdminRow> rows;
  for (SettingRow& setting : Describe(config)) {
    rows.push_back({std::move(setting.name), std::move(setting.value), TextOrNull(setting.unit),
                    std::move(setting.default_value), BoolValue(setting.reloadable),
                    std::move(setting.description)});
  }
  return rows;
}

}  // namespace

std::optional<std::vector<AdminColumn>> ControlColumns(ShowSubject subject) {
  switch (subject) {
    case ShowSubject::kNodes:
      return NodeColumns();
    case ShowSubject::kSettings:
      return SettingColumns();
    default:
      return std::nullopt;
  }
}

CommandReply AnswerFromControl(const Show& show, const Snapshot& snapshot, const Config& config,
                               const ControlStatus& control) {
  if (show.subject == ShowSubject::kSettings) {
    return {ShowResult(show, {SettingColumns(), SettingRows(config)}), {}};
  }
  return {ShowResult(show, {NodeColumns(), NodeRows(snapshot)}), ControlWarnings(control)};
}

std::vector<AdminNotice> ControlWarnings(const ControlStatus& control) {
  std::vector<AdminNotice> warnings;
  const auto warn = [&warnings](std::string message, const std::string& detail) {
    AdminNotice& warning = warnings.emplace_back();
    warning.message = std::move(message);
    warning.detail = detail;
    warning.hint = "What was read last is used until it can be read again.";
  };
  if (!control.catalog_connected) warn("the catalog cannot be reached", control.catalog_error);
  if (!control.schema_error.empty()) {
    warn("the schema of the default shard cannot be read", control.schema_error);
  }
  if (!control.roles_error.empty()) {
    warn("the roles of the default shard cannot be read", control.roles_error);
  }
  return warnings;
}

}  // namespace meridian
