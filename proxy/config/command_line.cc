#include "proxy/config/command_line.h"

#include <fmt/format.h>

#include <istream>
#include <optional>
#include <ostream>

#include "proxy/auth/scram_verifier.h"

namespace meridian {
namespace {

using Action = CommandLine::Action;

constexpr std::string_view kHelp = R"(Meridian, a sharding SQL proxy for PostgreSQL.

Usage:
  meridian --config FILE           run with this configuration
  meridian --config FILE --check   only check the configuration
  meridian --make-verifier         read a password from standard input and print its SCRAM verifier
  meridian --version               print the version
  meridian --help                  print this text

Signals: SIGHUP reloads the configuration, SIGTERM or SIGINT ends when the running transactions have
ended (drain_timeout), a second SIGINT ends at once.
)";

absl::Status Wrong(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{}; see meridian --help", what));
}

std::optional<Action> ActionOf(std::string_view argument) {
  if (argument == "--check") return Action::kCheck;
  if (argument == "--version" || argument == "-V") return Action::kVersion;
  if (argument == "--help" || argument == "-h" || argument == "-?") return Action::kHelp;
  if (argument == "--make-verifier") return Action::kMakeVerifier;
  return std::nullopt;
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  constexpr std::string_view kConfigEquals = "--config=";
  CommandLine line;
  std::optional<Action> action;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    std::optional<std::string> path;
    if (argument == "--config" || argument == "-c") {
      if (++i == arguments.size()) return Wrong(fmt::format("{} needs a file", argument));
      path = arguments[i];
    } else if (argument.starts_with(kConfigEquals)) {
      path = argument.substr(kConfigEquals.size());
    }
    if (path) {
      if (path->empty()) return Wrong("--config needs a file");
      if (!line.config_path.empty()) return Wrong("--config is given twice");
      line.config_path = *path;
      continue;
    }
    const std::optional<Action> wanted = ActionOf(argument);
    if (!wanted) return Wrong(fmt::format("unknown argument \"{}\"", argument));
    if (action && *action != *wanted)
      return Wrong(fmt::format("{} does not go with the rest", argument));
    action = wanted;
  }
  line.action = action.value_or(Action::kRun);
  const bool needs_config = line.action == Action::kRun || line.action == Action::kCheck;
  if (needs_config && line.config_path.empty()) return Wrong("--config FILE is missing");
  return line;
}

std::string_view HelpText() { return kHelp; }

absl::Status MakeVerifier(std::istream& in, std::ostream& out) {
  std::string password;
  std::getline(in, password);
  if (password.ends_with('\r')) password.pop_back();
  const absl::StatusOr<ScramVerifier> verifier = MakeScramVerifier(password);
  if (!verifier.ok()) return verifier.status();
  out << FormatScramVerifier(*verifier) << '\n';
  return absl::OkStatus();
}

}  // namespace meridian
