// REBALANCE, SET REBALANCER, DRAIN SHARD, ISOLATE KEY.
#include <fmt/format.h>

#include "sharding/admin/syntax.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr MeasureUnit kPercent[] = {{"%", 1}};

bool AcceptDryRun(Cursor& cursor) {
  if (!cursor.AcceptKeyword("dry")) return false;
  cursor.TakeKeyword("run");
  return true;
}

// BY {BYTES | LOAD}, where it is said.
std::optional<bool> AcceptByLoad(Cursor& cursor) {
  if (!cursor.AcceptKeyword("by")) return std::nullopt;
  if (cursor.AcceptKeyword("load")) return true;
  cursor.TakeKeyword("bytes");
  return false;
}

// "22:00-06:30", in 24 hours; '' for none.
std::optional<std::pair<std::string, std::string>> ReadWindow(std::string_view text) {
  if (text.empty()) return std::pair<std::string, std::string>();
  const auto is_time = [](std::string_view time) {
    const auto digit = [&](size_t i) { return time[i] >= '0' && time[i] <= '9'; };
    return time.size() == 5 && time[2] == ':' && digit(0) && digit(1) && digit(3) && digit(4) &&
           time.substr(0, 2) < "24" && time.substr(3) < "60";
  };
  if (text.size() != 11 || text[5] != '-') return std::nullopt;
  if (!is_time(text.substr(0, 5)) || !is_time(text.substr(6))) return std::nullopt;
  return std::pair(std::string(text.substr(0, 5)), std::string(text.substr(6)));
}

void TakeRebalancerOption(Cursor& cursor, RebalancerOptions& options) {
  const int position = cursor.PositionHere();
  const std::string name = cursor.TakeName();
  cursor.AcceptSymbol('=');
  const int value = cursor.PositionHere();
  if (name == "threshold") {
    options.threshold = TakeMeasure(cursor, kPercent, "'20%'");
    if (options.threshold && (*options.threshold == 0 || *options.threshold > 1000)) {
      cursor.FailAt(value, SqlStatus(sqlstate::kInvalidParameterValue,
                                     "threshold must be from 1 to 1000 percent"));
    }
  } else if (name == "max_rate") {
    options.max_rate = TakeMeasure(cursor, kByteUnits, "'20MB/s'");
  } else if (name == "window") {
    const std::string text = cursor.TakeString();
    options.window = ReadWindow(text);
    if (!options.window && cursor.status().ok()) {
      cursor.FailAt(value, SqlStatus(sqlstate::kInvalidParameterValue,
                                     fmt::format("\"{}\" is no window of time", text),
                                     "Write it like '22:00-06:00' (UTC); '' is always."));
    }
  } else {
    cursor.FailAt(position,
                  SqlStatus(sqlstate::kSyntaxError, fmt::format("unknown option \"{}\"", name),
                            "There is threshold, window, max_rate."));
  }
}

}  // namespace

Command ParseRebalance(Cursor& cursor) {
  Rebalance command;
  if (cursor.AcceptKeyword("distribution")) command.distribution = cursor.TakeName();
  command.dry_run = AcceptDryRun(cursor);
  command.by_load = AcceptByLoad(cursor).value_or(false);
  return command;
}

Command ParseSetRebalancer(Cursor& cursor) {
  using Mode = SetRebalancer::Mode;
  SetRebalancer command;
  if (cursor.AcceptKeyword("on")) {
    command.mode = Mode::kOn;
  } else if (!cursor.AcceptKeyword("off")) {
    command.mode = Mode::kDryRun;
    if (!AcceptDryRun(cursor)) cursor.FailHere();
  }
  command.options.by_load = AcceptByLoad(cursor);
  if (!cursor.AcceptKeyword("with")) return command;
  cursor.TakeSymbol('(');
  do {
    TakeRebalancerOption(cursor, command.options);
  } while (cursor.status().ok() && cursor.AcceptSymbol(','));
  cursor.TakeSymbol(')');
  return command;
}

Command ParseDrainShard(Cursor& cursor) {
  DrainShard command{cursor.TakeName(), false};
  command.dry_run = AcceptDryRun(cursor);
  return command;
}

Command ParseIsolateKey(Cursor& cursor) {
  IsolateKey command;
  do {
    command.key.push_back(cursor.TakeLiteral());
  } while (cursor.AcceptSymbol(','));
  cursor.TakeKeyword("in");
  cursor.TakeKeyword("distribution");
  command.distribution = cursor.TakeName();
  cursor.TakeKeyword("to");
  command.shard = cursor.TakeName();
  return command;
}

}  // namespace meridian
