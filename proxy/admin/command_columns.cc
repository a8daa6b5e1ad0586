#include "proxy/admin/command_columns.h"

#include "proxy/admin/explain_route.h"
#include "proxy/admin/reports.h"
#include "proxy/admin/show_control.h"

namespace meridian {

std::vector<AdminColumn> CommandColumns(const Command& command) {
  if (std::holds_alternative<ExplainRoute>(command)) return ExplainRouteColumns();
  const auto* show = std::get_if<Show>(&command);
  if (show == nullptr) return {};
  if (auto columns = ReportColumns(show->subject)) return *std::move(columns);
  return ControlColumns(show->subject).value_or(std::vector<AdminColumn>{});
}

}  // namespace meridian
