#include "proxy/admin/command_columns.h"

#include "proxy/admin/explain_route.h"
#include "proxy/admin/reports.h"
#include "proxy/admin/show_control.h"
#include "rebalance/balance_commands.h"
#include "rebalance/preflight.h"
#include "sharding/admin/show_moves.h"

namespace meridian {

std::vector<AdminColumn> CommandColumns(const Command& command) {
  if (std::holds_alternative<ExplainRoute>(command)) return ExplainRouteColumns();
  if (const auto* const move = std::get_if<MoveKeyRange>(&command)) {
    return move->dry_run ? DryRunColumns() : NewMoveColumns();
  }
  if (std::holds_alternative<Rebalance>(command) || std::holds_alternative<DrainShard>(command) ||
      std::holds_alternative<IsolateKey>(command)) {
    return BalanceColumns();
  }
  const auto* show = std::get_if<Show>(&command);
  if (show == nullptr) return {};
  if (RoomOf(command) == CommandRoom::kCatalog) return MoveColumns(show->subject);
  if (auto columns = ReportColumns(show->subject)) return *std::move(columns);
  return ControlColumns(show->subject).value_or(std::vector<AdminColumn>{});
}

}  // namespace meridian
