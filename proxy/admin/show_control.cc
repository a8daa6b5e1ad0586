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

std::vector<AdminColumn> ReplicationColumns() {
  return {{"shard"},
          {"host"},
          {"port", type_oid::kInt4},
          {"role"},
          {"serves_reads", type_oid::kBool},
          {"lsn"},
          {"lag_bytes", type_oid::kInt8},
          {"lag_ms", type_oid::kInt8}};
}

AdminRow ReplicationRow(const std::string& shard, const ShardNodes& nodes, const NodeState& node) {
  const bool replica = node.role == NodeRole::kReplica && node.samples != nullptr;
  const bool primary = &node == nodes.Primary() && node.samples != nullptr;
  const NodeSamples::Sample sample = replica   ? node.samples->as_replica()
                                     : primary ? node.samples->as_primary()
                                               : NodeSamples::Sample{};
  const std::optional<ReplicaLag> lag = LagOf(nodes, node);
  return {shard,
          node.address.host,
          std::to_string(node.address.port),
          std::string(NodeRoleName(node.role)),
          BoolValue(replica && IsUsed(nodes, node)),
          sample.number == 0 ? std::nullopt : AdminValue(LsnText(sample.lsn)),
          lag ? NumberValue(lag->bytes) : std::nullopt,
          lag && lag->us ? NumberValue(*lag->us / 1'000) : std::nullopt};
}

using NodeRowOf = AdminRow (*)(const std::string&, const ShardNodes&, const NodeState&);

std::vector<AdminRow> RowPerNode(const Snapshot& snapshot, NodeRowOf row_of) {
  std::vector<AdminRow> rows;
  const std::vector<Shard>& shards = snapshot.map->shards();
  for (size_t s = 0; s < shards.size(); ++s) {
    const ShardNodes& nodes = snapshot.nodes->of({static_cast<uint16_t>(s)});
    for (const NodeState& node : nodes.nodes) rows.push_back(row_of(shards[s].name, nodes, node));
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
    case ShowSubject::kReplication:
      return ReplicationColumns();
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
  if (show.subject == ShowSubject::kReplication) {
    return {ShowResult(show, {ReplicationColumns(), RowPerNode(snapshot, ReplicationRow)}),
            ControlWarnings(control)};
  }
  return {ShowResult(show, {NodeColumns(), RowPerNode(snapshot, NodeRow)}),
          ControlWarnings(control)};
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
